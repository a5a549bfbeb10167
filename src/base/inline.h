// For the inner loop: inlined whatever the optimizer's budget says.
#pragma once

#define MAILWARD_INLINE [[gnu::always_inline]] inline
