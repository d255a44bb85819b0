package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// repositoriesRoot is where distribution keeps its repositories.
const repositoriesRoot = "/docker/registry/v2/repositories"

// purgeJitter is the longest wait before the first purge, distribution's: replicas started
// together do not purge together.
const purgeJitter = time.Hour

// purgeSettings are storage.maintenance.uploadpurging.
type purgeSettings struct {
	enabled  bool
	age      time.Duration // uploads begun longer ago are removed
	interval time.Duration // from the end of one purge to the next
	dryRun   bool
}

// parsePurge reads the purge settings of config. What is not set has distribution's default.
func parsePurge(config *Config) (purgeSettings, error) {
	s := purgeSettings{enabled: true, age: 168 * time.Hour, interval: 24 * time.Hour}
	value, ok := config.Storage["maintenance"]["uploadpurging"]
	if !ok {
		return s, nil
	}
	const where = "storage.maintenance.uploadpurging"
	section, ok := stringKeysIn(value).(map[string]any)
	if !ok {
		return s, storagedriver.NewError(storagedriver.KindInvalidArgument, where+": is not a section; its keys are enabled, age, interval, dryrun")
	}
	for key, value := range section {
		var err error
		text := fmt.Sprint(value)
		switch key {
		case "enabled":
			s.enabled, err = strconv.ParseBool(text)
		case "dryrun":
			s.dryRun, err = strconv.ParseBool(text)
		case "age":
			s.age, err = time.ParseDuration(text)
		case "interval":
			s.interval, err = time.ParseDuration(text)
			if err == nil && s.interval <= 0 {
				err = errors.New("must be more than 0")
			}
		default:
			err = errors.New("is unknown; the keys are enabled, age, interval, dryrun")
		}
		if err != nil {
			return s, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s.%s: %w", where, key, err)
		}
	}
	return s, nil
}

// purger removes uploads that nobody finished.
type purger struct {
	purgeSettings
	d   storagedriver.StorageDriver
	log *slog.Logger
	now func() time.Time
}

// run purges until ctx ends, the first time after at most purgeJitter.
func (p *purger) run(ctx context.Context) {
	if !p.enabled {
		return
	}
	wait := rand.N(purgeJitter)
	for {
		p.log.Info("purging of unfinished uploads is scheduled", "in", wait.Round(time.Second))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		removed, err := p.purge(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.log.Error("purging unfinished uploads", "error", oneLine(err.Error()))
		}
		p.log.Info("purged unfinished uploads", "removed", len(removed), "dryrun", p.dryRun)
		wait = p.interval
	}
}

// purge removes the uploads that are too old, and returns their directories. What fails for
// one upload is in the error, and the others are purged all the same.
func (p *purger) purge(ctx context.Context) (removed []string, err error) {
	repositories, err := p.uploadDirectories(ctx)
	if err != nil {
		return nil, err
	}
	before := p.now().Add(-p.age)
	var failures []error
	for _, directory := range repositories {
		uploads, err := p.d.List(ctx, directory)
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			failures = append(failures, err)
		}
		for _, upload := range uploads {
			ok, err := p.purgeUpload(ctx, upload, before)
			if err != nil {
				failures = append(failures, err)
			}
			if ok {
				removed = append(removed, upload)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return removed, errors.Join(failures...)
}

// uploadDirectories finds every repository's directory of uploads.
func (p *purger) uploadDirectories(ctx context.Context) ([]string, error) {
	var found []string
	err := p.d.Walk(ctx, repositoriesRoot, func(info storagedriver.FileInfo) error {
		name := path.Base(info.Path())
		if name == "_uploads" {
			found = append(found, info.Path())
		}
		if strings.HasPrefix(name, "_") {
			return storagedriver.ErrSkipDir
		}
		return nil
	})
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		err = nil
	}
	return found, err
}

func (p *purger) purgeUpload(ctx context.Context, upload string, before time.Time) (bool, error) {
	begun, err := p.begun(ctx, upload)
	if err != nil || begun.IsZero() || !begun.Before(before) {
		return false, err
	}
	if p.dryRun {
		return true, nil
	}
	err = p.d.Delete(ctx, upload)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return false, nil
	}
	return err == nil, err
}

// begun returns when the upload began. Of one without startedat, which a hash state that
// raced with the upload's removal can leave and nobody can resume, it is when it last
// changed. It is zero when nothing says.
func (p *purger) begun(ctx context.Context, upload string) (time.Time, error) {
	content, err := p.d.GetContent(ctx, upload+"/startedat")
	if err == nil {
		begun, err := time.Parse(time.RFC3339, string(content))
		if err != nil {
			return time.Time{}, storagedriver.Errorf(storagedriver.KindCorrupt, "%s/startedat: %w", upload, err)
		}
		return begun, nil
	}
	if storagedriver.KindOf(err) != storagedriver.KindNotFound {
		return time.Time{}, err
	}
	var times []time.Time
	err = p.d.Walk(ctx, upload, func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			times = append(times, info.ModTime())
		}
		return nil
	})
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		err = nil
	}
	if err != nil || len(times) == 0 {
		return time.Time{}, err
	}
	if slices.ContainsFunc(times, time.Time.IsZero) {
		return time.Time{}, nil
	}
	return slices.MaxFunc(times, time.Time.Compare), nil
}
