package bench

// Gate is a ratio of speeds that the engine is held to. Ratios within one run
// hold on a slow machine as on a fast one.
type Gate struct {
	Ours    string // ID of our row
	Against string // ID of the other
	Body    string // name of the body
	Least   float64
}

// Gates returns what the engine is held to: on the four HTML bodies the whole
// evaluation is at least 100 times as fast as the usual code and 8 times as fast
// as parsing the HTML; looking for links is at least half as fast as looking for
// "://", and 0.15 of it where each link has to be unwrapped. Bodies of about
// 1 KB are left out of the latter: there a ratio says little.
func Gates() []Gate {
	var out []Gate
	for _, b := range Bodies()[:4] {
		out = append(out, Gate{OursID, UsualID, b.Name, 100}, Gate{OursID, ParseID, b.Name, 8})
	}
	for _, b := range Bodies() {
		switch {
		case len(b.Data) < 2000:
		case b.Name == "2 SafeLinks":
			out = append(out, Gate{OursURIID, IndexID, b.Name, 0.15})
		default:
			out = append(out, Gate{OursURIID, IndexID, b.Name, 0.5})
		}
	}
	return out
}
