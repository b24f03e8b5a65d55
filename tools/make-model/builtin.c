/* The built-in vocabulary: small, but with real merges, for text without the model's own file. */
#include "tools/make-model/make_model.h"

#include <string.h>

enum { CONTROL = 3, USER_DEFINED = 4, NORMAL = 1 }; /* token types of GGUF */

/* In order of rank; a token for each. U+0120 stands for a space, U+010A for a line feed. */
static const char *const merges[TS_BUILTIN_MERGES] = {
    "e r",      "Ġ a",      "Ġ t",    "o n",   "r e",      "i n",      "Ġ s",    "e s",
    "h e",      "i t",      "Ġ c",    "a t",   "e n",      "Ġ o",      "a n",    "e d",
    "Ġ f",      "Ġ p",      "Ġ m",    "o r",   "Ġt he",    "Ġ b",      "Ġ w",    "i s",
    "a l",      "Ġa n",     "r o",    "Ġ l",   "d e",      "i on",     "Ġ n",    "s t",
    "u n",      "l e",      "Ġ re",   "Ġan d", "t s",      "a r",      "a s",    "a c",
    "e t",      "u t",      "Ġ in",   "Ġ on",  "Ġc o",     "a m",      "e l",    "Ġ e",
    "Ġ h",      "o t",      "i c",    "i l",   "Ġo f",     "i m",      "v er",   "a d",
    "Ġt h",     "in g",     "it h",   "c t",   "Ġ is",     "Ġ r",      "Ġw ith", "Ġ d",
    "Ġt o",     "l o",      "Ġ k",    "Ġ g",   "en t",     "er n",     "Ġ it",   "m p",
    "ern el",   "Ġs t",     "i b",    "Ġ C",   "u p",      "Ċ Ċ",      "Ġ M",    "in e",
    "c h",      "u m",      "c e",    "c k",   "Ġ A",      "er s",     "et al",  "de v",
    "s e",      "Ġk ernel", "Ġf i",   "a g",   "u l",      "a p",      "o l",    "Ġr un",
    "e ct",     "o de",     "Ġo p",   "Ġb y",  "Ġo r",     "an d",     "an t",   "at ion",
    "Ġp ro",    "a b",      "o w",    "Ġ T",   "Ġn o",     "i d",      "p l",    "re s",
    "u r",      "v e",      "Ġb u",   "Ġe x",  "a y",      "e x",      "t h",    "Ġ G",
    "Ġth at",   "Ġw h",     "e ed",   "f er",  "o p",      "Ġ un",     "Ġf or",  "as h",
    "Ġco mp",   "Ġn ot",    "Ġon e",  "ac h",  "at e",     "c l",      "s ion",  "Ġ S",
    "Ġa l",     "Ġl o",     "Ġm e",   "Ġs h",  "es t",     "o ut",     "r it",   "u s",
    "Ġ v",      "an g",     "p p",    "Ġa s",  "Ġc on",    "Ġl ib",    "er r",   "l y",
    "Ġs am",    "ic e",     "im e",   "re d",  "u b",      "Ġa re",    "o m",    "r i",
    "Ġ en",     "es s",     "he ck",  "i g",   "i z",      "re ad",    "ro up",  "Ġm ode",
    "p or",     "ro m",     "s on",   "t er",  "Ġ O",      "Ġ P",      "Ġit s",  "Ġp er",
    "dev ice",  "j ect",    "q u",    "Ġ j",   "Ġs o",     "a k",      "as s",   "en ce",
    "Ġ N",      "Ġd o",     "Ġf rom", "a in",  "d g",      "er ation", "err or", "f f",
    "on e",     "ĠM etal",  "P U",    "ab le", "ag e",     "al l",     "e p",    "o st",
    "Ġ ro",     "Ġa t",     "Ġl in",  "Ġre s", "O N",      "d s",      "e c",    "er e",
    "fer ence", "i ve",     "m at",   "ver y", "Ġ device", "Ġco m",    "es ts",  "k en",
    "lo ck",    "Ġ L",      "Ġ he",   "Ġc h",  "Ġc heck",  "Ġe very",  "Ġf a",   "Ġop eration",
    "d er",     "e m",      "i p",    "i r",   "is t",     "Ġ de",     "Ġcom m", "Ġon ly",
    "ar y",     "ct ion",   "i an",   "l ot",  "or m",     "por t",    "y p",    "Ġ F",
    "Ġ ver",    "Ġa r",     "Ġs c",   "a re",  "en ch",    "i f",      "i le",   "o re",
};

static const char *const controls[] = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                       "<｜▁pad▁｜>"};
static const char *const protocol[] = {"<｜User｜>", "<｜Assistant｜>", "<think>", "</think>",
                                       "｜DSML｜"};

enum {
    CONTROLS = sizeof controls / sizeof controls[0],
    PROTOCOL = sizeof protocol / sizeof protocol[0]
};
_Static_assert(CONTROLS + 256 + TS_BUILTIN_MERGES + PROTOCOL == TS_BUILTIN_TOKENS, "512 tokens");

static void add(struct ts_text **token, int32_t **type, const char *text, size_t length,
                int32_t kind)
{
    *(*token)++ = (struct ts_text){text, length};
    *(*type)++ = kind;
}

/* The character that stands for a byte (GPT-2): printable Latin-1 for itself, the others in order
 * from U+0100 on. Returns its length in UTF-8. */
static size_t byte_character(unsigned byte, unsigned *others, char *text)
{
    bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    unsigned point = printable ? byte : 256 + (*others)++;
    if (point < 128) {
        text[0] = (char)point;
        return 1;
    }
    text[0] = (char)(0xC0 | point >> 6);
    text[1] = (char)(0x80 | (point & 63));
    return 2;
}

void ts_builtin_tokens(struct ts_text *tokens, int32_t *types, char *texts)
{
    for (int i = 0; i < CONTROLS; i++) {
        add(&tokens, &types, controls[i], strlen(controls[i]), CONTROL);
    }
    unsigned others = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        size_t length = byte_character(byte, &others, texts);
        add(&tokens, &types, texts, length, NORMAL);
        texts += length;
    }
    for (int i = 0; i < TS_BUILTIN_MERGES; i++) {
        const char *space = strchr(merges[i], ' ');
        size_t first = (size_t)(space - merges[i]), second = strlen(space + 1);
        memcpy(texts, merges[i], first);
        memcpy(texts + first, space + 1, second);
        add(&tokens, &types, texts, first + second, NORMAL);
        texts += first + second;
    }
    for (int i = 0; i < PROTOCOL; i++) {
        add(&tokens, &types, protocol[i], strlen(protocol[i]), USER_DEFINED);
    }
}

void ts_builtin_merges(struct ts_text *texts)
{
    for (int i = 0; i < TS_BUILTIN_MERGES; i++) {
        texts[i] = (struct ts_text){merges[i], strlen(merges[i])};
    }
}
