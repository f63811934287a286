package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"ccms/internal/config/flat"
)

// applications are the names (spring.application.name) under which the
// services go: the contract's and our own.
var applications = map[string]string{
	"eureka-server": "eureka", "eureka": "eureka",
	"login-service": "login", "login": "login",
	"creditcard-service": "creditcard", "credit-card-service": "creditcard", "creditcard": "creditcard",
	"portal": "portal",
}

const springName = "spring.application.name"

// springFixed are properties of the contract (sections 1.3.3 and 7.2) that
// state how our services behave in any case. What the registry is told is not
// checked: it is no client of itself.
var springFixed = map[string]string{
	"eureka.client.register-with-eureka": "the services find each other only through the registry",
	"eureka.client.fetch-registry":       "the services find each other only through the registry",
	"eureka.instance.prefer-ip-address":  "the services register with their IP address",
}

// relax gives the form in which Spring compares names of properties: without
// case, hyphens and underscores.
func relax(key string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(key))
}

// ofSpring turns the entries of a settings file into values, the contract's
// Spring properties (decision E1) into those of our settings that mean the
// same. Which service server.port belongs to says the command, else
// spring.application.name.
func (l *loader) ofSpring(file string, entries []flat.Entry) []value {
	service := l.springService(file, entries)
	var all []value
	for _, e := range entries {
		source := at(file, e.Line)
		if _, ours := l.rows[e.Key]; ours {
			all = append(all, value{key: e.Key, text: e.Text, source: source})
			continue
		}
		if relax(e.Key) == relax(springName) || l.springFixed(e, source, service) {
			continue
		}
		source += " " + e.Key
		rows := springRows(e.Key)
		i := slices.IndexFunc(rows, func(t Setting) bool { return t.springFor == nil || slices.Contains(t.springFor, service) })
		switch {
		case i >= 0:
			all = append(all, value{key: rows[i].Key, text: springText(rows[i], e.Text), source: source})
		case rows != nil:
			l.fail(e.Key, at(file, e.Line), "belongs to one service, and all of them start",
				"set "+keysOf(rows)+", or name the service with "+springName)
		default:
			all = append(all, value{key: e.Key, text: e.Text, source: at(file, e.Line)})
		}
	}
	return all
}

// springService is the service that the file is about.
func (l *loader) springService(file string, entries []flat.Entry) string {
	i := slices.IndexFunc(entries, func(e flat.Entry) bool { return relax(e.Key) == relax(springName) })
	if i < 0 {
		return l.src.Service
	}
	e := entries[i]
	named, ok := applications[strings.ToLower(strings.TrimSpace(e.Text))]
	if !ok {
		l.fail(springName, at(file, e.Line), quoted(e.Text, "is none of the services").Error(),
			"name eureka-server, login-service, creditcard-service or portal")
	} else if l.src.Service != "" && l.src.Service != named {
		l.fail(springName, at(file, e.Line), quoted(e.Text, "is another service than the one being started, "+l.src.Service).Error(),
			"start it with the file that belongs to it")
	}
	return named
}

// springFixed checks a property that only states what is so.
func (l *loader) springFixed(e flat.Entry, source, service string) bool {
	for name, why := range springFixed {
		if relax(e.Key) != relax(name) {
			continue
		}
		on, err := boolean.parse(strings.TrimSpace(e.Text))
		if err != nil {
			l.fail(e.Key, source, err.Error(), "give true or false")
		} else if !on && service != "eureka" {
			l.fail(e.Key, source, fmt.Sprintf("cannot be false: %s", why), "set it to true or leave it out")
		}
		return true
	}
	return false
}

// springRows are the settings that a Spring property may mean.
func springRows(key string) []Setting {
	var rows []Setting
	for _, t := range Table() {
		if t.Spring != "" && relax(t.Spring) == relax(key) {
			rows = append(rows, t)
		}
	}
	return rows
}

func keysOf(rows []Setting) string {
	var keys []string
	for _, t := range rows {
		keys = append(keys, t.Key)
	}
	return strings.Join(keys, ", ")
}

// springText writes the value of a property as the setting t has it: a port
// becomes an address on loopback, a time without unit is in milliseconds, a
// percentage may have a fraction of nothing.
func springText(t Setting, text string) string {
	text = strings.TrimSpace(text)
	switch t.Kind {
	case address.name:
		return net.JoinHostPort("127.0.0.1", text)
	case duration.name:
		if _, err := strconv.ParseUint(text, 10, 63); err == nil {
			return text + "ms"
		}
	case between(0, 0).name:
		return strings.TrimSuffix(text, ".0")
	}
	return text
}
