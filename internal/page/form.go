package page

// Form is what a person fills in.
type Form struct {
	Fields []*Field
	prefix string
}

// Field is one input of a form. Template "field" shows it.
type Field struct {
	ID           string // its name too
	Label, Hint  string
	Type         string // of the input, or area, select or choices; default text
	Value        string // shown again; empty for secrets and card data
	Autocomplete string // WHATWG autofill token
	InputMode    string
	Code         bool     // digits, an address, a name of our own: left to right in any language
	Brand        bool     // the card's brand is shown beside it
	Options      []Option // of a select, or of choices, whose names are ID.Value
	Error        string   // what to do, when something is wrong
	Prefix       string   // what screen readers hear before Error
}

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
