package guess

// Remembered is how many cards m holds.
func Remembered(m *Memory) int { return len(m.current.cards) + len(m.previous.cards) }

// Keys are the keys m holds, not copies.
func Keys(m *Memory) [][]byte { return [][]byte{m.previous.key, m.current.key} }
