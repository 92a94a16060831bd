"""Where the published membership goes on to: one module per sink behind one small protocol."""
