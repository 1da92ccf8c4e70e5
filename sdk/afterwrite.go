package sdk

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unicrm/unicrm/sdk/errs"
)

// NotKept tells of parts of a write that the vendor took without an error and,
// as its answer shows, did not keep. Where the caller allows losses they become
// warnings. Else it gives a lossy_write that says that the rest was written, and
// to which record, so that nobody sends the whole once more. Use [Call.Lose] for
// what is known before.
func (c *Call) NotKept(id string, parts []errs.Field) error {
	switch {
	case len(parts) == 0:
		return nil
	case c.allowLossy:
		c.warnings = append(c.warnings, parts...)
		return nil
	}
	var said []string
	for _, part := range parts {
		said = append(said, part.Path+" ("+part.Description+")")
	}
	e := &errs.Error{
		Reason:     errs.LossyWrite,
		Message:    fmt.Sprintf("the record %s was written and should not be written again, but not everything was kept: %s", id, strings.Join(said, "; ")),
		Fields:     parts,
		ExistingID: id,
	}
	if c.client != nil && c.client.MainResponse() != nil {
		e.Vendor = c.client.MainResponse().Answer()
	}
	return e
}

// Unfinished is the error of a write of which a later call failed, about the
// field at a path, when the record itself was written. Whatever the cause, it is
// a conflict that names the record: who sends the same write once more, as is
// done after a 429 or a 502, would make the record a second time.
func Unfinished(id, path string, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	half := *e
	half.Reason, half.ExistingID, half.RetryAfter = errs.VendorConflict, id, 0
	half.Message = fmt.Sprintf("the record %s was written but for its %s, or a part of them: %s", id, path, e.Message)
	half.Fields = []errs.Field{{Path: path, Description: e.Message}}
	return &half
}
