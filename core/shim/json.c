/* json.c - scan a JSON text as it comes for scalars of its first two levels. */
#include "json.h"

#include <string.h>

enum { BETWEEN, STRING, ESCAPE, HEX, SCALAR };

static bool watched(const xh_json *j) {
  return j->depth == 1 || j->depth == 2;
}

static bool in_object(const xh_json *j) {
  return watched(j) && j->object[j->depth - 1];
}

static void put(xh_json *j, unsigned char byte) {
  if (!watched(j))
    return;
  size_t most = j->is_key ? XH_JSON_KEY : XH_JSON_VALUE;
  char *to = j->is_key ? j->keys[j->depth - 1] : j->value;
  if (j->used < most - 1)
    to[j->used++] = (char)(byte < 0x20 || byte == 0x7f ? ' ' : byte);
}

/* As UTF-8. One half of a surrogate pair is no character. */
static void put_code(xh_json *j, unsigned code) {
  if (code >= 0xd800 && code < 0xe000)
    code = '?';
  if (code < 0x80) {
    put(j, (unsigned char)code);
  } else if (code < 0x800) {
    put(j, (unsigned char)(0xc0 | code >> 6));
    put(j, (unsigned char)(0x80 | (code & 0x3f)));
  } else {
    put(j, (unsigned char)(0xe0 | code >> 12));
    put(j, (unsigned char)(0x80 | (code >> 6 & 0x3f)));
    put(j, (unsigned char)(0x80 | (code & 0x3f)));
  }
}

/* The first level's key counts for the second only if both are objects. */
static void end_value(xh_json *j, bool is_string) {
  if (!in_object(j) || (j->depth == 2 && !j->object[0]))
    return;
  j->value[j->used] = '\0';
  j->fn(j->user, j->keys[0], j->depth == 2 ? j->keys[1] : NULL, j->value, is_string);
}

static void end_string(xh_json *j) {
  j->mode = BETWEEN;
  if (!j->is_key) {
    end_value(j, true);
    return;
  }
  j->keys[j->depth - 1][j->used] = '\0';
  j->is_key = j->want_key = false;
}

static void in_string(xh_json *j, char byte) {
  if (byte == '"')
    end_string(j);
  else if (byte == '\\')
    j->mode = ESCAPE;
  else
    put(j, (unsigned char)byte);
}

static void in_escape(xh_json *j, char byte) {
  static const char PLAIN[] = "\"\\/";
  if (byte == 'u') {
    j->hex = j->digits = 0;
    j->mode = HEX;
    return;
  }
  put(j, strchr(PLAIN, byte) != NULL ? (unsigned char)byte : ' '); /* \n, \t, ... */
  j->mode = STRING;
}

static void in_hex(xh_json *j, char byte) {
  int lower = byte | 0x20;
  bool letter = lower >= 'a' && lower <= 'f';
  if (!letter && (byte < '0' || byte > '9')) {
    j->bad = true;
    return;
  }
  j->hex = j->hex * 16 + (unsigned)(letter ? lower - 'a' + 10 : byte - '0');
  if (++j->digits < 4)
    return;
  put_code(j, j->hex);
  j->mode = STRING;
}

static void open_level(xh_json *j, bool object) {
  j->begun = true;
  j->depth++;
  if (watched(j)) {
    j->object[j->depth - 1] = object;
    j->keys[j->depth - 1][0] = '\0';
  }
  j->want_key = in_object(j);
}

static void between(xh_json *j, char byte) {
  switch (byte) {
  case '{':
  case '[':
    open_level(j, byte == '{');
    break;
  case '}':
  case ']':
    if (j->depth == 0)
      j->bad = true;
    else
      j->depth--;
    break;
  case ',':
    j->want_key = in_object(j);
    break;
  case '"':
    j->used = 0;
    j->is_key = j->want_key;
    j->mode = STRING;
    break;
  case ':':
  case ' ':
  case '\t':
  case '\r':
  case '\n':
    break;
  default:
    j->used = 0;
    put(j, (unsigned char)byte);
    j->mode = SCALAR;
  }
}

static void in_scalar(xh_json *j, char byte) {
  if (strchr(",]} \t\r\n", byte) == NULL || byte == '\0') {
    put(j, (unsigned char)byte);
    return;
  }
  j->mode = BETWEEN;
  end_value(j, false);
  between(j, byte);
}

void xh_json_take(xh_json *j, const char *data, size_t size) {
  static void (*const MODES[])(xh_json *, char) = {
    [BETWEEN] = between, [STRING] = in_string, [ESCAPE] = in_escape,
    [HEX] = in_hex,      [SCALAR] = in_scalar,
  };
  for (size_t i = 0; i < size && !j->bad; i++)
    MODES[j->mode](j, data[i]);
}

bool xh_json_complete(const xh_json *j) {
  return j->begun && j->depth == 0 && j->mode == BETWEEN && !j->bad;
}
