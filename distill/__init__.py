"""recipe -> split -> generate -> filter -> mix -> train -> evaluate (each arm) -> compare -> report."""
