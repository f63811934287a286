package chassis

import (
	"io"

	"ccms/internal/config"
	"ccms/internal/httpserver"
	"ccms/internal/logging"
)

// OpenLog opens the log of a process: to the console and, when the settings
// name one, to a file. Every line says which request it belongs to.
func OpenLog(s config.Settings, console io.Writer) (*logging.Log, error) {
	return logging.Open(logging.Config{
		JSON:    s.Log.Format == "json",
		Level:   s.Log.Level,
		Console: console,
		File:    logging.FileConfig{Path: s.Log.File},
		Wrap:    httpserver.LogHandler,
	})
}

// reopenLog goes on in the file that bears the log's name now, for who moves
// full files away himself (logrotate).
func (p *Process) reopenLog() {
	if err := p.Log.Reopen(); err != nil {
		p.Log.Error("log.file cannot be opened again, the old one goes on", "error.message", err)
	}
}
