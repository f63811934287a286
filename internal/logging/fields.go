package logging

// Field is what may stand in a log line under Name.
type Field struct {
	Name string
	Type Type
	Doc  string // of our own fields; what ECS says of its is not repeated
}

// Type is an ECS field type, which is an Elasticsearch type.
type Type string

// The types in use. Keyword, text and wildcard are JSON strings and differ in
// how they are searched; date is RFC 3339, long a whole number, and ip an
// address.
const (
	Boolean  Type = "boolean"
	Date     Type = "date"
	IP       Type = "ip"
	Keyword  Type = "keyword"
	Long     Type = "long"
	Text     Type = "match_only_text"
	Wildcard Type = "wildcard"
)

// ECS lists the fields of the Elastic Common Schema 8.11 that our lines use,
// with the types published there
// (https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html).
func ECS() []Field {
	return []Field{
		{Name: "@timestamp", Type: Date},
		{Name: "client.ip", Type: IP},
		{Name: "ecs.version", Type: Keyword},
		{Name: "error.code", Type: Keyword},
		{Name: "error.message", Type: Text},
		{Name: "event.action", Type: Keyword},
		{Name: "event.duration", Type: Long}, // nanoseconds
		{Name: "file.path", Type: Keyword},
		{Name: "file.size", Type: Long}, // bytes
		{Name: "http.request.id", Type: Keyword},
		{Name: "http.request.method", Type: Keyword},
		{Name: "http.response.body.bytes", Type: Long},
		{Name: "http.response.status_code", Type: Long},
		{Name: "log.level", Type: Keyword},
		{Name: "message", Type: Text},
		{Name: "server.address", Type: Keyword},
		{Name: "service.name", Type: Keyword},
		{Name: "span.id", Type: Keyword},
		{Name: "tls.server.not_after", Type: Date},
		{Name: "trace.id", Type: Keyword},
		{Name: "url.full", Type: Wildcard},
		{Name: "url.path", Type: Wildcard},
	}
}

// Own lists our own fields. ECS asks for a name space of one's own.
func Own() []Field {
	return []Field{
		{"ccms.breaker.from", Keyword, "state the circuit breaker left"},
		{"ccms.breaker.to", Keyword, "state the circuit breaker went to"},
		{"ccms.certificates.changed", Boolean, "whether certificates read again are others than before"},
		{"ccms.health.component", Keyword, "part of the service whose health changed"},
		{"ccms.health.status", Keyword, "its health, UP or DOWN"},
		{"ccms.log.lost", Long, "lines that could not be written to log.file"},
		{"ccms.outbox.due", Date, "when a message is tried again"},
		{"ccms.outbox.id", Keyword, "a message that waits in the outbox"},
		{"ccms.outbox.kind", Keyword, "what kind of message it is"},
		{"ccms.outbox.try", Long, "how often it has been tried, this time included"},
		{"ccms.settings.applied", Keyword, "settings that changed and hold now, separated by spaces"},
		{"ccms.settings.level", Keyword, "the least level that is logged from now on"},
		{"ccms.settings.restart", Keyword, "settings that changed and need a restart"},
		{"ccms.store.url", Keyword, "where the documents are kept, without passwords"},
		{"ccms.upload.key", Keyword, "name under which a full log file lies in object storage"},
		{"ccms.webhook.endpoint", Keyword, "endpoint of a firm that is told of events"},
		{"ccms.webhook.event", Keyword, "id of an event it is told of"},
		{"ccms.webhook.reason", Keyword, "why it did not take an event, or is called no more"},
		{"ccms.webhook.try", Long, "how often it was tried with this event, this time included"},
		{"eureka.app", Keyword, "application in the registry"},
		{"eureka.instance", Keyword, "its instance"},
		{"eureka.status", Keyword, "the instance's status"},
		{"http.route", Keyword, "pattern of the route, as OpenTelemetry names it; never the path"},
	}
}
