"""Whose words are these: licences and terms as dated data, and what they make of a student."""
