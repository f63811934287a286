package forms

import "ccms/internal/page"

// Role lets somebody choose a role; owners is whether he may give theirs.
func Role(role string, owners bool) []*page.Field { return []*page.Field{roleField(role, owners)} }

func roleField(role string, owners bool) *page.Field {
	f := &page.Field{ID: "role", Label: "Role", Type: "select", Options: []page.Option{
		{Value: "viewer", Text: "Viewer: looks"}, {Value: "admin", Text: "Admin: looks after clients, links, rules and viewers"},
	}}
	if owners {
		f.Options = append(f.Options, page.Option{Value: "owner", Text: "Owner: looks after owners too"})
	}
	for i := range f.Options {
		f.Options[i].On = f.Options[i].Value == role
	}
	return f
}

// Invite is who is to become a member, as what.
func Invite(email, role string, owners bool) []*page.Field {
	return []*page.Field{
		{ID: "email", Label: "E-mail address", Hint: "Whoever has confirmed this address finds the firm in the console.", Type: "email", Autocomplete: "off", Value: email, Code: true},
		roleField(role, owners),
	}
}

// Firm is a firm to be made, and its owner.
func Firm(name, owner string) []*page.Field {
	return []*page.Field{
		{ID: "name", Label: "Name of the firm", Autocomplete: "off", Value: name},
		{ID: "owner", Label: "E-mail address of its owner", Hint: "Whoever confirms this address becomes the owner.", Type: "email", Autocomplete: "off", Value: owner, Code: true},
	}
}
