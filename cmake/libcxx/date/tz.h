// See date.h beside it.
#pragma once

#include <date/date.h>
