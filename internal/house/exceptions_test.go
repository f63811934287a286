package house

// An exception lets one place break one rule, for a reason.
type exception struct{ rule, where, reason string }

// exceptions are all there are. Where a finding is expected, it is named as the
// test names it.
var exceptions = []exception{}
