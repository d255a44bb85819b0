package main

import "github.com/prometheus/client_golang/prometheus"

// guestMetrics are what sandboxed drivers count and gauge, for Prometheus. Names and their number are bounded by
// the sandbox. It may be used concurrently.
type guestMetrics struct {
	counters *prometheus.CounterVec
	gauges   *prometheus.GaugeVec
}

func registerGuestMetrics(to prometheus.Registerer) (*guestMetrics, error) {
	of := []string{"driver", "name"}
	g := &guestMetrics{
		counters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "berth_guest_counter_total", Help: "What a sandboxed driver counts, by the name it gives that"}, of),
		gauges:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "berth_guest_gauge", Help: "What a sandboxed driver gauges, by the name it gives that"}, of),
	}
	if err := to.Register(g.counters); err != nil {
		return nil, err
	}
	return g, to.Register(g.gauges)
}

// tell is a runtime.Config's Metric.
func (g *guestMetrics) tell(driver, name string, counter bool, value int64) {
	if counter {
		g.counters.WithLabelValues(driver, name).Add(float64(value))
		return
	}
	g.gauges.WithLabelValues(driver, name).Set(float64(value))
}
