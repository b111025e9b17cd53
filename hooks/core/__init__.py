"""What we decide: plain functions on plain values, without I/O, clock or chance."""
