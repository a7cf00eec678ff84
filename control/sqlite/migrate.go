package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations brings a file from one version to the next: the first makes
// version 1 of an empty file. Entries are never changed or removed, only added.
// The version of a file is its user_version.
var migrations = []string{
	`CREATE TABLE record (
		kind     TEXT NOT NULL,
		id       TEXT NOT NULL,
		owner    TEXT NOT NULL,
		key      TEXT NOT NULL,
		revision INTEGER NOT NULL,
		changed  INTEGER NOT NULL, -- microseconds since 1970, UTC
		data     BLOB NOT NULL,
		PRIMARY KEY (kind, id)
	) WITHOUT ROWID;
	CREATE UNIQUE INDEX record_key ON record (kind, owner, key) WHERE key <> '';`,

	// Lists are by key and id, of one owner and of all.
	`CREATE INDEX record_list ON record (kind, owner, key, id);
	CREATE INDEX record_all ON record (kind, key, id);`,
}

// migrate brings the file to version to, each step in a transaction.
func migrate(ctx context.Context, db *sql.DB, to int) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read the version of the file: %w", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("the file has version %d, this program knows versions up to %d: use the program that wrote it, or a newer one",
			version, len(migrations))
	}
	for ; version < to; version++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("bring the file to version %d: %w", version+1, err)
		}
		if _, err = tx.ExecContext(ctx, migrations[version]); err == nil {
			// A pragma takes no parameters.
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			_ = tx.Rollback()
			return fmt.Errorf("bring the file to version %d: %w", version+1, err)
		}
	}
	return nil
}
