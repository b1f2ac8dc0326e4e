/* curl.c - libcurl, opened when it is first needed. */
#include "curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "symbols.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static xh_curl table;
static char problem[256];

static void open_library(void) {
  static const xh_symbol FUNCTIONS[] = {
    {"curl_easy_init", offsetof(xh_curl, easy_init)},
    {"curl_easy_cleanup", offsetof(xh_curl, easy_cleanup)},
    {"curl_easy_setopt", offsetof(xh_curl, easy_setopt)},
    {"curl_easy_getinfo", offsetof(xh_curl, easy_getinfo)},
    {"curl_easy_strerror", offsetof(xh_curl, easy_strerror)},
    {"curl_easy_pause", offsetof(xh_curl, easy_pause)},
    {"curl_multi_init", offsetof(xh_curl, multi_init)},
    {"curl_multi_cleanup", offsetof(xh_curl, multi_cleanup)},
    {"curl_multi_setopt", offsetof(xh_curl, multi_setopt)},
    {"curl_multi_add_handle", offsetof(xh_curl, multi_add_handle)},
    {"curl_multi_remove_handle", offsetof(xh_curl, multi_remove_handle)},
    {"curl_multi_assign", offsetof(xh_curl, multi_assign)},
    {"curl_multi_socket_action", offsetof(xh_curl, multi_socket_action)},
    {"curl_multi_info_read", offsetof(xh_curl, multi_info_read)},
    {"curl_slist_append", offsetof(xh_curl, slist_append)},
    {"curl_slist_free_all", offsetof(xh_curl, slist_free_all)},
  };
  void *library =
    xh_symbols_open("libcurl.so.4", &table, FUNCTIONS,
                    sizeof FUNCTIONS / sizeof *FUNCTIONS, problem, sizeof problem);
  if (library == NULL)
    return;
  CURLcode (*init)(long) = NULL;
  void *found = dlsym(library, "curl_global_init");
  memcpy(&init, &found, sizeof found);
  /* Nothing: no TLS is spoken, and an embedder's own use of curl is left alone. */
  if (init == NULL || init(CURL_GLOBAL_NOTHING) != CURLE_OK)
    snprintf(problem, sizeof problem, "libcurl.so.4 does not start");
}

const xh_curl *xh_curl_get(const char **why) {
  pthread_once(&once, open_library);
  *why = problem;
  return problem[0] == '\0' ? &table : NULL;
}
