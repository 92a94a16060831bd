"""What travels: frozen types, schema files, codecs and the topic manifest. Pure; imports nothing of ours."""
