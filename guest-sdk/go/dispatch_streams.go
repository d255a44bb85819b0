package berth

// output wraps the handle of a sink of the host's; nil when there is none.
func (g *guest) output(h int64) *Output {
	if h == 0 {
		return nil
	}
	return &Output{host: &handle{g.host, h}}
}

func (g *guest) runStream(r *request) error {
	next, err := g.driver.Stream(g.call, g.text(r.path), r.state, g.stream(r.body, r.size), g.output(r.sink))
	if err != nil {
		return err
	}
	g.reply.object().bin("state", next)
	return nil
}

// encodeState adds the keys of content that Stream makes.
func encodeState(o object, c *Content) error {
	if c.Data != nil {
		return NewError(KindInvalidArgument, "content has a State and Data")
	}
	o.int("len", c.Length)
	if c.Body != nil {
		h, err := handleOf(c.Body)
		if err != nil {
			return err
		}
		o.int("body", h)
	}
	o.bin("stream", c.State)
	o.int("skip", c.Skip)
	return nil
}
