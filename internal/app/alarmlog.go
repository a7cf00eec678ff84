package app

import (
	"context"
	"strings"
	"time"
)

// alarmLook is how often the log is told of alarms.
const alarmLook = 10 * time.Second

// roomAlarm is an alarm of a room.
type roomAlarm struct{ room, code string }

// logAlarms writes into the log which alarms begin and end, until ctx is done: not
// every program is asked for its health. What a device could not be given is in the
// log already.
func (a *App) logAlarms(ctx context.Context) {
	tick := time.NewTicker(alarmLook)
	defer tick.Stop()
	known := map[roomAlarm]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			known = a.logNewAlarms(known)
		}
	}
}

// logNewAlarms logs what differs from the alarms that are known, and returns those
// of now.
func (a *App) logNewAlarms(known map[roomAlarm]bool) map[roomAlarm]bool {
	now := map[roomAlarm]bool{}
	for _, r := range a.svc.Status().Rooms {
		for _, al := range r.Alarms {
			key := roomAlarm{r.Name, al.Code}
			if r.Error != "" && strings.Contains(al.Text, r.Error) {
				continue
			}
			if !known[key] && !now[key] {
				a.log.Warn("alarm", "room", r.Name, "alarm", al.Code, "text", al.Text)
			}
			now[key] = true
		}
	}
	for key := range known {
		if !now[key] {
			a.log.Info("alarm ended", "room", key.room, "alarm", key.code)
		}
	}
	return now
}
