package config

import (
	"iter"
	"maps"
	"slices"
)

// hint says what to write in place of an unknown key.
func (l *loader) hint(key string) string {
	if near := nearest(key, maps.Keys(l.rows)); near != "" {
		return "did you mean " + near + "?"
	}
	return "`ccms config print` shows them all"
}

// hintEnv is hint for a name in the environment.
func (l *loader) hintEnv(name string) string {
	names := func(yield func(string) bool) {
		for key := range l.rows {
			if !yield(envName(key)) {
				return
			}
		}
	}
	if near := nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "`ccms config print` shows them all"
}

// nearest is the word a slip of the pen away from key, "" when none is.
func nearest(key string, words iter.Seq[string]) string {
	best, least := "", max(1, min(3, len(key)/4))+1
	for _, w := range slices.Sorted(words) {
		if d := distance(key, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// sorted gives the entries of m in the order of their keys.
func sorted(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
