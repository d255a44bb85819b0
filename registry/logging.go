package registry

import (
	"context"
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/sirupsen/logrus"
)

// configureLogging sets logrus's standard logger, which distribution logs through, as the
// log section says.
func configureLogging(config *Config) error {
	log := config.Log
	level := logrus.InfoLevel
	if log.Level != "" {
		var err error
		if level, err = logrus.ParseLevel(string(log.Level)); err != nil {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "log.level: %q is none of error, warn, info, debug", log.Level)
		}
	}
	var formatter logrus.Formatter
	switch log.Formatter {
	case "", "text":
		formatter = &logrus.TextFormatter{TimestampFormat: time.RFC3339Nano}
	case "json":
		formatter = &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true}
	case "logstash":
		formatter = &logrus.JSONFormatter{
			TimestampFormat: time.RFC3339Nano,
			FieldMap:        logrus.FieldMap{logrus.FieldKeyFunc: "function"},
		}
	default:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "log.formatter: %q is none of text, json, logstash", log.Formatter)
	}
	if len(log.Fields) > 0 {
		formatter = fieldsFormatter{Formatter: formatter, fields: log.Fields}
	}
	formatter = redacting(formatter, secretsOf(config))
	std := logrus.StandardLogger()
	std.SetLevel(level)
	std.SetReportCaller(log.ReportCaller)
	std.SetFormatter(formatter)
	return nil
}

// fieldsFormatter adds the configured fields to entries that have none of that name.
type fieldsFormatter struct {
	logrus.Formatter
	fields map[string]any
}

func (f fieldsFormatter) Format(e *logrus.Entry) ([]byte, error) {
	entry := *e
	entry.Data = make(logrus.Fields, len(e.Data)+len(f.fields))
	for key, value := range f.fields {
		entry.Data[key] = value
	}
	for key, value := range e.Data {
		entry.Data[key] = value
	}
	return f.Formatter.Format(&entry)
}

// Logger returns a logger that writes where distribution's own log goes: what Serve and
// GarbageCollect were last told by the log section of a Config governs it, also where it
// was made before.
func Logger() *slog.Logger {
	return slog.New(logrusHandler{entry: logrus.NewEntry(logrus.StandardLogger())})
}

// loggerOr returns l or, when it is nil, Logger.
func loggerOr(l *slog.Logger) *slog.Logger {
	if l != nil {
		return l
	}
	return Logger()
}

// logrusHandler is a slog.Handler over logrus.
type logrusHandler struct {
	entry  *logrus.Entry
	prefix string
}

func logrusLevel(level slog.Level) logrus.Level {
	switch {
	case level >= slog.LevelError:
		return logrus.ErrorLevel
	case level >= slog.LevelWarn:
		return logrus.WarnLevel
	case level >= slog.LevelInfo:
		return logrus.InfoLevel
	}
	return logrus.DebugLevel
}

func (h logrusHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.entry.Logger.IsLevelEnabled(logrusLevel(level))
}

func (h logrusHandler) Handle(_ context.Context, r slog.Record) error {
	fields := logrus.Fields{}
	r.Attrs(func(a slog.Attr) bool {
		fields[h.prefix+a.Key] = a.Value.Resolve().Any()
		return true
	})
	h.entry.WithTime(r.Time).WithFields(fields).Log(logrusLevel(r.Level), r.Message)
	return nil
}

func (h logrusHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := logrus.Fields{}
	for _, a := range attrs {
		fields[h.prefix+a.Key] = a.Value.Resolve().Any()
	}
	return logrusHandler{entry: h.entry.WithFields(fields), prefix: h.prefix}
}

func (h logrusHandler) WithGroup(name string) slog.Handler {
	return logrusHandler{entry: h.entry, prefix: h.prefix + name + "."}
}
