package page

// Form is what a person fills in.
type Form struct {
	Fields []*Field
	Notice *Notice // what is wrong that no field can mend; default nothing
	prefix string
}

// Notice is a sentence, and where the person may go on.
type Notice struct{ Text, Link, LinkText string }

// Field is one input of a form. Template "field" shows it.
type Field struct {
	ID           string // its name too
	Label, Hint  string
	Type         string // of the input, or area, select or choices; default text
	Value        string // shown again; empty for secrets and card data
	Autocomplete string // WHATWG autofill token
	InputMode    string
	EnterKey     string   // what the Enter key of a touch keyboard is called; default as it likes
	Code         bool     // digits, an address, a name of our own: left to right in any language
	Brand        bool     // the card's brand is shown beside it
	Options      []Option // of a select, or of choices, whose names are ID.Value
	Error        string   // what to do, when something is wrong
	Prefix       string   // what screen readers hear before Error
	Reveal       *Reveal  // of a password
}

// Reveal is what the button that shows a password says (script password.js).
type Reveal struct{ Show, Hide, Shown, Hidden string }

// Option is one of those a person may choose.
type Option struct {
	Value, Text string
	On          bool // it is chosen
}

// NewForm returns a form of fields, labelled in the language.
func (l *Language) NewForm(fields ...*Field) *Form {
	f := &Form{Fields: fields, prefix: l.T("error.prefix")}
	for _, field := range fields {
		if field.Type == "" {
			field.Type = "text"
		}
		field.Prefix = f.prefix
		if field.Type == "password" {
			field.Reveal = &Reveal{l.T("password.show"), l.T("password.hide"), l.T("password.shown"), l.T("password.hidden")}
		}
	}
	return f
}

// Field returns the field with this id, nil when there is none.
func (f *Form) Field(id string) *Field {
	for _, field := range f.Fields {
		if field.ID == id {
			return field
		}
	}
	return nil
}

// Wrong are the fields with an error, in order.
func (f *Form) Wrong() []*Field {
	var wrong []*Field
	for _, field := range f.Fields {
		if field.Error != "" {
			wrong = append(wrong, field)
		}
	}
	return wrong
}
