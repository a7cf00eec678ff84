package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/onetouchjoin/onetouchjoin/internal/app"
)

// admin does to the data of the control centre what whoever runs the server may.
func admin(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("admin", flag.ContinueOnError)
	var from source
	from.register(flags)
	keys := flags.String("keys", "", "restore: the `FILE` with the keys of the backup, if they are others than those of now")
	rest, status, ok := parse(flags, args, std)
	if !ok {
		return status
	}
	if err := from.check(flags); err != nil {
		return std.fail(wrong, "admin: %v", err)
	}
	const usage = "admin: name what to do: link [EMAIL], backup FILE, restore FILE, or rotate-keys"
	if len(rest) == 0 {
		return std.fail(wrong, usage)
	}
	var file string
	switch what := rest[0]; {
	case what == "link" && len(rest) <= 2, (what == "backup" || what == "restore") && len(rest) == 2, what == "rotate-keys" && len(rest) == 1:
		if len(rest) == 2 {
			file = rest[1]
		}
	default:
		return std.fail(wrong, usage)
	}
	c, err := from.read()
	if err != nil {
		printConfigError(std, "admin", err)
		return no
	}
	a, err := app.NewAdmin(c)
	if err == nil {
		err = administer(ctx, a, rest[0], file, *keys, std)
	}
	if err != nil {
		return std.fail(no, "admin: %v", err)
	}
	return done
}

func administer(ctx context.Context, a *app.Admin, what, arg, keys string, std stdio) error {
	switch what {
	case "link":
		link, err := a.Link(ctx, arg)
		if err == nil {
			fmt.Fprintf(std.out, "This link works once, within an hour:\n\n  %s\n\n", link)
		}
		return err
	case "backup":
		where, err := a.Backup(ctx, arg)
		if err == nil {
			fmt.Fprintf(std.out, "%s has the database. The keys that open its passwords are not in it: keep a copy of %s somewhere else, and a new one after each otj admin rotate-keys.\n", arg, where)
		}
		return err
	case "restore":
		kept, err := a.Restore(ctx, arg, keys)
		if err == nil {
			fmt.Fprintf(std.out, "Restored. What was there before is in %s.\n", kept)
		}
		return err
	}
	n, err := a.RotateKeys(ctx)
	if err == nil {
		fmt.Fprintf(std.out, "There is a new key, and %d passwords are encrypted with it. Copy the file of the keys to where you keep it.\n", n)
	}
	return err
}
