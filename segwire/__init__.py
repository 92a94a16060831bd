"""The front door: the command line, the embedded servers, the one-machine stack, the simulator."""
