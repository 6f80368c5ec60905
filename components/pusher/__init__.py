"""SingleVersionPusher: exports a blessed model once."""
