"""The collapse laboratory: students that teach students, how much each generation lost, and how much teacher text is good."""
