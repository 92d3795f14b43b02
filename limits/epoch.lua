-- KEYS: 1 epoch. ARGV: JSON {}. Returns the present epoch, or nil where the state is not whole.
return whole(KEYS[1])
