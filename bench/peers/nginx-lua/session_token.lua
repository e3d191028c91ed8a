-- Session tokens as daemon/credit/token.h describes them: HMAC-SHA256 by libcrypto, keyed once.
local ffi = require 'ffi'
local base64 = require 'ngx.base64'
local bytes = require 'bytes'

local sub, byte = string.sub, string.byte
local decode_base64url, encode_base64url = base64.decode_base64url, base64.encode_base64url

ffi.cdef [[
typedef struct evp_mac_st EVP_MAC;
typedef struct evp_mac_ctx_st EVP_MAC_CTX;
typedef struct {
    const char *key;
    unsigned int data_type;
    void *data;
    size_t data_size;
    size_t return_size;
} OSSL_PARAM;
EVP_MAC *EVP_MAC_fetch(void *libctx, const char *algorithm, const char *properties);
EVP_MAC_CTX *EVP_MAC_CTX_new(EVP_MAC *mac);
OSSL_PARAM OSSL_PARAM_construct_utf8_string(const char *key, char *buf, size_t bsize);
OSSL_PARAM OSSL_PARAM_construct_end(void);
int EVP_MAC_init(EVP_MAC_CTX *ctx, const unsigned char *key, size_t keylen, const OSSL_PARAM params[]);
int EVP_MAC_update(EVP_MAC_CTX *ctx, const unsigned char *data, size_t datalen);
int EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *outl, size_t outsize);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
]]
local crypto = ffi.load('libcrypto.so.3')

local MAC_BYTES, MAC_CHARS, KEY_ID_BYTES, TOKEN_MAX = 32, 43, 4, 1024
local TIMES_BYTES, SESSION_ID_BYTES = 16, 16 -- anchor and expiry; the session's id
local computed, computed_len = bytes.new(MAC_BYTES), ffi.new('size_t[1]')
local const_bytes = ffi.typeof('const uint8_t *')

local session_token = {}
local mac, head

-- KEY signs and verifies; called once, before workers are forked.
function session_token.configure(key)
  local digest_name = ffi.new('char[7]', 'SHA256')
  local params = ffi.new('OSSL_PARAM[2]')
  params[0] = crypto.OSSL_PARAM_construct_utf8_string('digest', digest_name, 0)
  params[1] = crypto.OSSL_PARAM_construct_end()
  mac = crypto.EVP_MAC_CTX_new(crypto.EVP_MAC_fetch(nil, 'HMAC', nil))
  assert(crypto.EVP_MAC_init(mac, key, #key, params) == 1)
  local digest = bytes.new(MAC_BYTES)
  crypto.SHA256(key, #key, digest)
  head = 'm1.' .. encode_base64url(ffi.string(digest, KEY_ID_BYTES)) .. '.'
end

local function mac_agrees(signed, given)
  if not given or #given ~= MAC_BYTES then return false end
  return crypto.EVP_MAC_init(mac, nil, 0, nil) == 1
    and crypto.EVP_MAC_update(mac, signed, #signed) == 1
    and crypto.EVP_MAC_final(mac, computed, computed_len, MAC_BYTES) == 1
    and crypto.CRYPTO_memcmp(computed, given, MAC_BYTES) == 0
end

local function take_string(payload, at)
  local length = byte(payload, at)
  return sub(payload, at + 1, at + length), at + 1 + length
end

-- What is signed was once checked.
local function read_payload(payload)
  local pointer = ffi.cast(const_bytes, payload)
  local session = {anchor_ms = bytes.get_i64(pointer, 0), expiry_ms = bytes.get_i64(pointer, 8)}
  local at = TIMES_BYTES + SESSION_ID_BYTES + 1
  session.program, at = take_string(payload, at)
  session.portal, at = take_string(payload, at)
  session.learner, at = take_string(payload, at)
  session.course, at = take_string(payload, at)
  session.lesson = take_string(payload, at)
  return session
end

-- The session of TOKEN, nil when it is none that KEY signed.
function session_token.verify(token)
  if type(token) ~= 'string' or #token > TOKEN_MAX or sub(token, 1, #head) ~= head then return nil end
  local signed_len = #token - MAC_CHARS - 1
  if signed_len <= #head or byte(token, signed_len + 1) ~= 46 then return nil end -- '.'
  if not mac_agrees(sub(token, 1, signed_len), decode_base64url(sub(token, signed_len + 2))) then return nil end
  return read_payload(decode_base64url(sub(token, #head + 1, signed_len)))
end

return session_token
