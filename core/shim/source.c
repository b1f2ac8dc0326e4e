/* source.c - which of the two there is. */
#include "source.h"

#include "shim.h"
#include "supervise.h"

const xh_source *xh_source_of(const xh_shim *s) {
  return s->spec.engine.address != NULL ? &XH_SOURCE_ENGINE : &XH_SOURCE_CHILD;
}
