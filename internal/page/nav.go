package page

// Nav is the menu of a part of the product that has pages enough for one of its
// own. It stands below the bar, in English.
type Nav struct {
	Name  string // whose pages these are
	Home  string // path of the first of them
	Modes []Link // of which one is always chosen: test or live
	Links []Link
}

// Link is an entry of a menu.
type Link struct {
	Text, Path string
	Here       bool // it leads to this page, or to the one above it
}
