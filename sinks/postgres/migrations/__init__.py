"""The tables' versions, as SQL files: `NNNN_what.sql`, applied in the order of their numbers and never changed."""
