-- Where the schema registry keeps the schemas and, more important, their IDs: they are in every record.
CREATE DATABASE registry;
