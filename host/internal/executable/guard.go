package executable

import "errors"

// ErrGroupWritable is what the error of CheckFolder is when nothing worse is
// wrong than that the group of a folder can write to it. That may be meant: the
// group may have no other member, as a user's private group or that of a volume
// in Kubernetes.
var ErrGroupWritable = errors.New("its group can write to it")

type groupWritable string

func (g groupWritable) Error() string        { return string(g) }
func (g groupWritable) Is(target error) bool { return target == ErrGroupWritable }
