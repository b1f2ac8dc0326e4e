/* curl.h - libcurl, opened when it is first needed.
 *
 * Its shared libraries take 5 to 7 ms to load, which a command that speaks to no engine
 * should not pay. Types come from curl's header, functions from this table. */
#ifndef XH_CURL_H
#define XH_CURL_H

#include <curl/curl.h>

typedef struct xh_curl {
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  const char *(*easy_strerror)(CURLcode);
  CURLcode (*easy_pause)(CURL *, int);
  CURLM *(*multi_init)(void);
  CURLMcode (*multi_cleanup)(CURLM *);
  CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
  CURLMcode (*multi_add_handle)(CURLM *, CURL *);
  CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
  CURLMcode (*multi_assign)(CURLM *, curl_socket_t, void *);
  CURLMcode (*multi_socket_action)(CURLM *, curl_socket_t, int, int *);
  CURLMsg *(*multi_info_read)(CURLM *, int *);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
} xh_curl;

/* The table, the same for all; from any thread. NULL when libcurl.so.4 is not there or
 * lacks something, and then *why says so, in static memory. */
const xh_curl *xh_curl_get(const char **why);

#endif
