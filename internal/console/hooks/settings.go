package hooks

import (
	"net/http"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// settingsData is the data of webhook-settings.html.
type settingsData struct {
	hookData
	Rotate *page.Form
}

func (s *service) settings(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theWebhook(r, d)
	if err != nil {
		return err
	}
	data.Form = d.NewForm(forms.Webhook(backend.WebhookForm{URL: data.Webhook.URL, Events: data.Webhook.Events}, d.Mode)...)
	data.Done = frame.Done(r, map[string]string{"changed": "The webhook is changed."})
	return showSettings(w, r, data)
}

func showSettings(w http.ResponseWriter, r *http.Request, data hookData) error {
	return data.Show(w, r, frame.Shown{
		Title: "Settings of the webhook", Page: "webhook-settings.html", Status: data.Status(),
		Data: settingsData{data, data.NewForm(forms.Overlap()...)},
	})
}

func (s *service) change(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theWebhook(r, d)
	if err != nil {
		return err
	}
	f, h, err := read(w, r, d)
	if err != nil {
		return err
	}
	data.Sheet = h
	if data.Good() {
		err := s.ask.ChangeWebhook(r, d.Caller(), data.Webhook.ID, f)
		if err == nil {
			return page.Redirect(w, data.Path()+"/settings?done=changed")
		}
		if err := data.Refused(err, forms.WebhookWords()); err != nil {
			return err
		}
	}
	return showSettings(w, r, data)
}

// turn brings a webhook into a state.
func (s *service) turn(status string) frame.Handler {
	return func(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
		id := r.PathValue("webhook")
		if err := s.ask.TurnWebhook(r, d.Caller(), id, status); err != nil {
			return err
		}
		return page.Redirect(w, path(d, id)+"?done="+status)
	}
}

func (s *service) rotate(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	overlap, err := strconv.Atoi(posted.Text("overlap"))
	if err != nil {
		return problem.Validation("Choose how long the secret in use works on.")
	}
	id := r.PathValue("webhook")
	made, err := s.ask.RotateWebhook(r, d.Caller(), id, overlap)
	defer made.Wipe()
	if err != nil {
		return err
	}
	return d.ShowOnce(w, r, frame.Once{Title: "The webhook has a new secret", Label: "Signing secret", Secret: made, Back: path(d, id) + "/settings", Text: onceText})
}

func (s *service) deleteForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theWebhook(r, d)
	if err != nil {
		return err
	}
	return d.Show(w, r, frame.Shown{Title: "Delete this webhook?", Page: "webhook-delete.html", Data: data})
}

func (s *service) delete(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	if err := s.ask.DeleteWebhook(r, d.Caller(), r.PathValue("webhook")); err != nil {
		return err
	}
	return page.Redirect(w, d.Base()+"/webhooks?done=deleted")
}
