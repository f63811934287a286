// Package hooks owns the console's pages about webhooks: where a firm is told of
// events, what was sent there and what became of it, and sending again. What is
// sent, and when, is the card service's.
package hooks

import (
	"embed"
	"net/http"
	"net/url"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

//go:embed pages/*.html
var pages embed.FS

type service struct{ ask *backend.Backend }

// Part is the pages, which ask through ask. Viewers have none of them.
func Part(ask *backend.Backend) frame.Part {
	s := &service{ask}
	return frame.Part{
		Pages: pages,
		Menu:  []frame.Entry{{Text: "Webhooks", Name: "webhooks", For: frame.Desk.Manages}},
		Firm: frame.Routes{
			"GET /webhooks":                     s.list,
			"GET /webhooks/add":                 s.addForm,
			"POST /webhooks/add":                s.add,
			"GET /webhooks/{webhook}":           s.log,
			"POST /webhooks/{webhook}/test":     s.test,
			"POST /webhooks/{webhook}/replay":   s.replay,
			"POST /webhooks/{webhook}/since":    s.replaySince,
			"GET /webhooks/{webhook}/settings":  s.settings,
			"POST /webhooks/{webhook}/settings": s.change,
			"POST /webhooks/{webhook}/enable":   s.turn("enabled"),
			"POST /webhooks/{webhook}/disable":  s.turn("disabled"),
			"POST /webhooks/{webhook}/rotate":   s.rotate,
			"GET /webhooks/{webhook}/delete":    s.deleteForm,
			"POST /webhooks/{webhook}/delete":   s.delete,
		},
	}
}

// listData is the data of webhooks.html.
type listData struct {
	frame.Sheet
	Webhooks []backend.Webhook
}

func (s *service) list(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	all, err := s.ask.Webhooks(r, d.Caller())
	if err != nil {
		return err
	}
	done := frame.Done(r, map[string]string{"deleted": "The webhook is deleted: nothing is sent to it any more."})
	return d.Show(w, r, frame.Shown{Title: "Webhooks", Page: "webhooks.html", Data: listData{frame.Sheet{Desk: d, Done: done}, all}})
}

func (s *service) addForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	if !d.Manages() {
		return problem.Denied("Owners and admins look after webhooks.")
	}
	return showAdd(w, r, frame.Sheet{Desk: d, Form: d.NewForm(forms.Webhook(backend.WebhookForm{}, d.Mode)...)})
}

func showAdd(w http.ResponseWriter, r *http.Request, h frame.Sheet) error {
	return h.Show(w, r, frame.Shown{Title: "New " + h.Mode + " webhook", Page: "webhook-add.html", Data: h, Status: h.Status()})
}

func (s *service) add(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	f, h, err := read(w, r, d)
	if err != nil {
		return err
	}
	if h.Good() {
		made, err := s.ask.CreateWebhook(r, d.Caller(), f)
		defer made.Secret.Wipe()
		if err == nil {
			return d.ShowOnce(w, r, frame.Once{
				Title: "The webhook is ready", Label: "Signing secret", Secret: made.Secret, Back: path(d, made.ID), Text: onceText,
			})
		}
		if err := h.Refused(err, forms.WebhookWords()); err != nil {
			return err
		}
	}
	return showAdd(w, r, h)
}

const onceText = "Every message is signed with this secret (Standard Webhooks). Copy it to where the endpoint keeps its secrets, and check each signature with it. It is shown this once."

// read reads the form of a webhook and notes what is missing.
func read(w http.ResponseWriter, r *http.Request, d frame.Desk) (backend.WebhookForm, frame.Sheet, error) {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return backend.WebhookForm{}, frame.Sheet{}, err
	}
	defer posted.Wipe()
	f := forms.ReadWebhook(posted)
	h := frame.Sheet{Desk: d, Form: d.NewForm(forms.Webhook(f, d.Mode)...)}
	h.Need("url", "Enter the URL of the endpoint")
	if len(f.Events) == 0 {
		h.Form.Field("events").Error = "Choose at least one event"
	}
	return f, h, nil
}

// path is that of a webhook's page.
func path(d frame.Desk, id string) string { return d.Base() + "/webhooks/" + url.PathEscape(id) }

// hookData is what the data of a webhook's pages has.
type hookData struct {
	frame.Sheet
	Webhook backend.Webhook
}

// Path is that of the webhook's page.
func (data hookData) Path() string { return path(data.Desk, data.Webhook.ID) }

// theWebhook is the one in the path.
func (s *service) theWebhook(r *http.Request, d frame.Desk) (hookData, error) {
	found, err := s.ask.Webhook(r, d.Caller(), r.PathValue("webhook"))
	return hookData{frame.Sheet{Desk: d}, found}, err
}
