/* A PKCS#11 module with moods, in front of another one (SoftHSM): for tests of what real tokens do and SoftHSM does not.
 *
 *   MOODY_MODULE   the module behind it
 *   MOODY_LOG      a line for every session, login and signature
 *   MOODY_SIGNS    after so many signatures the token is pulled out (CKR_DEVICE_REMOVED)
 *   MOODY_FLAGS    more token flags, e.g. 0x20000: one PIN try is left
 *   MOODY_ALWAYS   private keys want the PIN before every signature, and take what is signed in parts, as OpenSC does
 *
 * Written from the PKCS#11 2.40 specification; only what it needs of the headers is here. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong;
/* CK_FUNCTION_LIST: a version, then the functions in the specification's order. */
typedef struct { unsigned char version[sizeof(void *)]; void *f[68]; } list_t;
typedef struct { ulong type; void *value; ulong length; } attribute_t;
enum { GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, GET_ATTRIBUTE = 24,
       SIGN_INIT = 42, SIGN = 43, SIGN_UPDATE = 44, SIGN_FINAL = 45 };
enum { DEVICE_REMOVED = 0x32, OPERATION_NOT_INITIALIZED = 0x91, USER_NOT_LOGGED_IN = 0x101 };

static list_t inner, outer;
static long signatures;
static int active, authenticated;
static unsigned char held[512];
static ulong held_length;

static void note(const char *what, ulong value) {
    const char *path = getenv("MOODY_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "%s %lx\n", what, value);
    fclose(file);
}

static int pulled(void) {
    const char *limit = getenv("MOODY_SIGNS");
    return limit && signatures >= atol(limit);
}

static int always(void) { return getenv("MOODY_ALWAYS") != NULL; }

static ulong get_token_info(ulong slot, void *info) {
    ulong rv = ((ulong (*)(ulong, void *))inner.f[GET_TOKEN_INFO])(slot, info);
    const char *flags = getenv("MOODY_FLAGS");
    /* label, manufacturer, model and serial number stand before the flags */
    if (!rv && flags) *(ulong *)((char *)info + 32 + 32 + 16 + 16) |= strtoul(flags, NULL, 0);
    return rv;
}

static ulong open_session(ulong slot, ulong flags, void *app, void *notify, ulong *session) {
    note("session", flags);
    return ((ulong (*)(ulong, ulong, void *, void *, ulong *))inner.f[OPEN_SESSION])(slot, flags, app, notify, session);
}

static ulong login(ulong session, ulong user, unsigned char *pin, ulong length) {
    if (user == 2) {
        note("context-login", active);
        if (!active) return OPERATION_NOT_INITIALIZED;
        authenticated = length == 4 && !memcmp(pin, "1234", 4);
        return authenticated ? 0 : 0xa0;
    }
    ulong rv = ((ulong (*)(ulong, ulong, unsigned char *, ulong))inner.f[LOGIN])(session, user, pin, length);
    note("login", rv);
    return rv;
}

static ulong get_attribute(ulong session, ulong object, attribute_t *list, ulong count) {
    if (always() && count == 1 && list[0].type == 0x202 /* CKA_ALWAYS_AUTHENTICATE */) {
        if (list[0].value) *(unsigned char *)list[0].value = 1;
        list[0].length = 1;
        return 0;
    }
    return ((ulong (*)(ulong, ulong, attribute_t *, ulong))inner.f[GET_ATTRIBUTE])(session, object, list, count);
}

static ulong sign_init(ulong session, void *mechanism, ulong key) {
    if (pulled()) return DEVICE_REMOVED;
    ulong rv = ((ulong (*)(ulong, void *, ulong))inner.f[SIGN_INIT])(session, mechanism, key);
    active = !rv;
    authenticated = 0;
    held_length = 0;
    return rv;
}

static ulong finish(ulong session, unsigned char *data, ulong length, unsigned char *out, ulong *size) {
    if (pulled()) return DEVICE_REMOVED;
    if (always() && !authenticated) return active = 0, USER_NOT_LOGGED_IN;
    ulong rv = ((ulong (*)(ulong, unsigned char *, ulong, unsigned char *, ulong *))inner.f[SIGN])(session, data, length, out, size);
    if (out) { signatures++; active = 0; note("signature", rv); }
    return rv;
}

static ulong sign_update(ulong session, unsigned char *part, ulong length) {
    (void)session;
    if (!always() || !active || held_length + length > sizeof held) return OPERATION_NOT_INITIALIZED;
    memcpy(held + held_length, part, length);
    held_length += length;
    return 0;
}

static ulong sign_final(ulong session, unsigned char *out, ulong *size) {
    return finish(session, held, held_length, out, size);
}

ulong C_GetFunctionList(list_t **list) {
    if (!outer.f[0]) {
        void *module = dlopen(getenv("MOODY_MODULE"), RTLD_NOW | RTLD_LOCAL);
        ulong (*get)(list_t **) = module ? (ulong (*)(list_t **))dlsym(module, "C_GetFunctionList") : NULL;
        list_t *found;
        if (!get || get(&found)) return 5;
        inner = outer = *found;
        outer.f[GET_FUNCTION_LIST] = (void *)C_GetFunctionList;
        outer.f[GET_TOKEN_INFO] = (void *)get_token_info;
        outer.f[OPEN_SESSION] = (void *)open_session;
        outer.f[LOGIN] = (void *)login;
        outer.f[GET_ATTRIBUTE] = (void *)get_attribute;
        outer.f[SIGN_INIT] = (void *)sign_init;
        outer.f[SIGN] = (void *)finish;
        outer.f[SIGN_UPDATE] = (void *)sign_update;
        outer.f[SIGN_FINAL] = (void *)sign_final;
    }
    *list = &outer;
    return 0;
}
