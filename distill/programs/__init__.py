"""Programs in Python as models write them: found in a text, spoilt on purpose, tried against tests."""
