/* http.c - HTTP requests to an engine, many at once, on the loop. */
#include "http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "error.h"
#include "http_poll.h"

enum { CONNECT_MS = 5000, KEPT_CONNECTIONS = 8 };

struct xh_http {
  xh_http_poll poll; /* first: its address is ours */
  const xh_curl *curl;
  xh_http_request *first; /* in flight */
  bool is_unix;
  char address[];
};

struct xh_http_request {
  xh_http *http;
  xh_http_request *next, *previous;
  CURL *easy;
  struct curl_slist *headers;
  xh_http_options o;
  char *body, *url;
  xh_buffer kept;
  bool aborted, too_big;
  char version[24];
  char error[CURL_ERROR_SIZE];
};

static void forget_request(xh_http_request *r) {
  if (r->previous != NULL)
    r->previous->next = r->next;
  else if (r->http->first == r)
    r->http->first = r->next;
  if (r->next != NULL)
    r->next->previous = r->previous;
  r->next = r->previous = NULL;
}

static void free_request(xh_http_request *r) {
  const xh_curl *curl = r->http->curl;
  forget_request(r);
  if (r->easy != NULL)
    curl->easy_cleanup(r->easy);
  curl->slist_free_all(r->headers);
  xh_buffer_free(&r->kept);
  free(r->body);
  free(r->url);
  free(r);
}

static bool is_good(const xh_http_request *r) {
  long status = 0;
  r->http->curl->easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

static size_t on_body(char *data, size_t one, size_t len, void *user) {
  xh_http_request *r = user;
  (void)one;
  if (r->aborted)
    return 0;
  if (is_good(r) && r->o.on_data != NULL) {
    r->o.on_data(r, data, len, r->o.user);
    return r->aborted ? 0 : len;
  }
  r->too_big = r->kept.len + len > r->o.limit;
  return r->too_big || xh_buffer_append(&r->kept, data, len) < 0 ? 0 : len;
}

/* What is wanted of the headers: the engine's version. */
static size_t on_header(char *line, size_t one, size_t len, void *user) {
  static const char VERSION[] = "api-version:";
  xh_http_request *r = user;
  (void)one;
  if (len > sizeof VERSION && strncasecmp(line, VERSION, sizeof VERSION - 1) == 0) {
    size_t n = 0;
    for (size_t i = sizeof VERSION - 1; i < len && n < sizeof r->version - 1; i++)
      if (line[i] > ' ')
        r->version[n++] = line[i];
    r->version[n] = '\0';
  }
  return len;
}

static const char *describe(const xh_http_request *r, CURLcode code) {
  if (r->too_big)
    return "the answer is longer than expected";
  if (code == CURLE_OK)
    return NULL;
  /* Of a socket in a folder, libcurl's own words tell of localhost and port 80. */
  long number = 0;
  if (code == CURLE_COULDNT_CONNECT && r->http->is_unix)
    r->http->curl->easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &number);
  if (number != 0)
    return xh_error_text((int)-number);
  return r->error[0] != '\0' ? r->error : r->http->curl->easy_strerror(code);
}

/* The connection goes with the request, so the socket is ours by another number. */
static int take_socket(const xh_http_request *r) {
  curl_socket_t socket = -1;
  r->http->curl->easy_getinfo(r->easy, CURLINFO_ACTIVESOCKET, &socket);
  return fcntl(socket, F_DUPFD_CLOEXEC, 3);
}

static void on_done(xh_http_poll *poll, CURL *easy, CURLcode code) {
  xh_http *h = (xh_http *)poll;
  xh_http_request *r = NULL;
  char *type = NULL;
  long status = 0;
  h->curl->easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
  h->curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  h->curl->easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  bool connected = r->o.connect && code == CURLE_OK && !r->aborted;
  int socket = connected ? take_socket(r) : -1;
  h->curl->multi_remove_handle(poll->multi, easy);
  xh_http_answer answer = {
    .status = (int)status,
    .error = describe(r, code),
    .refused = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST,
    .body = r->kept.data != NULL ? r->kept.data : "",
    .len = r->kept.len,
    .type = type,
    .version = r->version[0] != '\0' ? r->version : NULL,
    .socket = socket,
  };
  forget_request(r); /* the client may be closed inside, and must not find it */
  if (!r->aborted)
    r->o.on_answer(r, &answer, r->o.user);
  free_request(r);
}

static void on_closed(xh_http_poll *poll) {
  free(poll); /* the xh_http: poll is its first member */
}

int xh_http_open(xh_http **out, xh_loop *loop, const char *address, const char **why) {
  const xh_curl *curl = xh_curl_get(why);
  if (curl == NULL)
    return UV_ENOSYS;
  size_t size = strlen(address) + 1;
  xh_http *h = calloc(1, sizeof *h + size);
  if (h == NULL)
    return UV_ENOMEM;
  memcpy(h->address, address, size);
  h->is_unix = address[0] == '/';
  h->curl = curl;
  h->poll.on_done = on_done;
  h->poll.on_closed = on_closed;
  int err = xh_http_poll_open(&h->poll, loop, curl);
  if (err < 0) {
    free(h);
    return err;
  }
  curl->multi_setopt(h->poll.multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
  *out = h;
  return 0;
}

void xh_http_abort(xh_http_request *r) {
  xh_http *h = r->http;
  r->aborted = true;
  if (h->poll.inside)
    return; /* on_body answers 0, and on_done frees it */
  h->curl->multi_remove_handle(h->poll.multi, r->easy);
  free_request(r);
}

void xh_http_close(xh_http *h) {
  if (h == NULL)
    return;
  for (xh_http_request *r = h->first, *next; r != NULL; r = next) {
    next = r->next;
    xh_http_abort(r);
  }
  xh_http_poll_close(&h->poll);
}

static bool set_url(xh_http_request *r) {
  const xh_http *h = r->http;
  const char *host = h->is_unix ? "localhost" : h->address;
  size_t size = strlen(host) + strlen(r->o.path) + sizeof "http://";
  r->url = malloc(size);
  if (r->url == NULL)
    return false;
  strcpy(stpcpy(stpcpy(r->url, "http://"), host), r->o.path);
  if (h->is_unix)
    h->curl->easy_setopt(r->easy, CURLOPT_UNIX_SOCKET_PATH, h->address);
  return h->curl->easy_setopt(r->easy, CURLOPT_URL, r->url) == CURLE_OK;
}

static bool set_headers(xh_http_request *r) {
  const xh_curl *curl = r->http->curl;
  /* No "Expect: 100-continue", which would cost a round trip. */
  r->headers = curl->slist_append(NULL, "Expect:");
  for (const char *const *h = r->o.headers; h != NULL && *h != NULL; h++)
    r->headers = curl->slist_append(r->headers, *h);
  return r->headers != NULL &&
         curl->easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK;
}

static bool set_body(xh_http_request *r) {
  const xh_curl *curl = r->http->curl;
  bool post = strcmp(r->o.method, "POST") == 0 || strcmp(r->o.method, "PUT") == 0;
  if (r->o.body == NULL && !post)
    return true;
  r->body = malloc(r->o.body_len + 1);
  if (r->body == NULL)
    return false;
  memcpy(r->body, r->o.body != NULL ? r->o.body : "", r->o.body_len);
  curl->easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->o.body_len);
  return curl->easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->body) == CURLE_OK;
}

static void set_rest(xh_http_request *r) {
  const xh_curl *curl = r->http->curl;
  CURL *easy = r->easy;
  curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->o.method);
  curl->easy_setopt(easy, CURLOPT_PRIVATE, r);
  curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl->easy_setopt(easy, CURLOPT_WRITEDATA, r);
  curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl->easy_setopt(easy, CURLOPT_HEADERDATA, r);
  curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
  curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl->easy_setopt(easy, CURLOPT_PROXY, "");
  curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl->easy_setopt(easy, CURLOPT_CONNECT_ONLY, (long)r->o.connect);
  curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)r->o.connect);
  if (strcmp(r->o.method, "HEAD") == 0)
    curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
}

int xh_http_send(xh_http *h, const xh_http_options *o, xh_http_request **out) {
  xh_http_request *r = calloc(1, sizeof *r);
  if (r == NULL)
    return UV_ENOMEM;
  r->http = h;
  r->o = *o;
  r->easy = h->curl->easy_init();
  if (r->easy == NULL || !set_url(r) || !set_headers(r) || !set_body(r)) {
    free_request(r);
    return UV_ENOMEM;
  }
  set_rest(r);
  r->next = h->first;
  if (h->first != NULL)
    h->first->previous = r;
  h->first = r;
  *out = r;
  CURLMcode code = h->curl->multi_add_handle(h->poll.multi, r->easy);
  if (code == CURLM_OK)
    return 0;
  free_request(r);
  return UV_EINVAL;
}
