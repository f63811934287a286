//go:build race || patient

package patience

// Times is larger under the race detector, which makes everything some ten
// times slower, and in builds with the tag patient, for machines whose
// processors others use too: what is looked for there is not how fast they are.
const Times = 10
