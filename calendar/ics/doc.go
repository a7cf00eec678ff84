// Package ics reads iCalendar data (RFC 5545): files, folders of files, feeds
// on the web, and anything else by way of [Decode].
//
// It reads calendars as programs write them and not only as the standard has
// them. What it repairs: byte order marks, UTF-16, mixed line ends, damaged
// folds, line ends inside texts, lines without a colon, components without an
// END or with another one's, control characters, text that is not UTF-8,
// several calendars in one file. Time zones may be named as in the IANA
// database, as in Windows, by an offset or by the texts that programs show; a
// VTIMEZONE is used where a name says nothing.
//
// An event that it cannot read is an error for that event alone; see
// [calendar.PartialError].
//
// # What is not supported
//
// An event with one of these is such an error:
//
//   - RRULE with FREQ=HOURLY, MINUTELY or SECONDLY, with BYYEARDAY or BYWEEKNO,
//     with BYHOUR, BYMINUTE or BYSECOND other than the time of DTSTART, or with
//     an RSCALE other than GREGORIAN; EXRULE; the rules of vCalendar 1.0;
//   - RECURRENCE-ID with RANGE=THISANDFUTURE: the series is left out from that
//     occurrence on;
//   - a time zone of an unknown name that no VTIMEZONE defines;
//   - an event without DTSTART, one that ends before it begins, and one longer
//     than ten years.
//
// The rules of a VTIMEZONE are followed up to the year 2100.
package ics
