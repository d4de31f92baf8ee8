import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../errors.js';
import type { TokenizerSpec } from '../runtime/native.js';

/** A tokenizer as its files describe it. */
export interface Vocabulary extends TokenizerSpec {
	/** Whether decoding closes the gaps before punctuation and inside contractions, token by token. */
	readonly cleanup: boolean;
	/** What Transformers truncates to; kept for the files that are written. */
	readonly modelMaxLength: number;
}

type Json = Readonly<Record<string, unknown>>;
type NamedTokens = Pick<TokenizerSpec, 'unkToken' | 'clsToken' | 'sepToken' | 'padToken' | 'maskToken'>;

const largestFile = 50 * 2 ** 20;
// The largest vocabularies of BERT's kind have half a million.
const mostTokens = 1_000_000;
// Memory follows what a file holds, not the numbers it names: so many ids may be unused.
const mostHoles = (entries: number) => entries + 1000;
// Bounds the work on one word, which grows with the square of its length.
const longestWord = 10_000;

/**
 * The tokenizer of a model folder: tokenizer.json, else vocab.txt; tokenizer_config.json overrides what either says of lower case,
 * accents and ideographs. Throws ModelError VOCAB_MISSING, VOCAB_INVALID, VOCAB_INCOMPLETE or TOKENIZER_UNSUPPORTED.
 */
export async function loadVocabulary(folder: string): Promise<Vocabulary> {
	const config = (await readJson(join(folder, 'tokenizer_config.json'))) ?? {};
	const map = (await readJson(join(folder, 'special_tokens_map.json'))) ?? {};
	const named = (key: string, usual: string) => tokenName(config[key]) ?? tokenName(map[key]) ?? usual;
	const names: NamedTokens = {
		unkToken: named('unk_token', '[UNK]'),
		clsToken: named('cls_token', '[CLS]'),
		sepToken: named('sep_token', '[SEP]'),
		padToken: named('pad_token', '[PAD]'),
		maskToken: named('mask_token', '[MASK]'),
	};
	const jsonFile = join(folder, 'tokenizer.json');
	const textFile = join(folder, 'vocab.txt');
	const json = await readJson(jsonFile);
	if (json) return checked(overridden(fromTokenizerJson(jsonFile, json, names), config), jsonFile);
	const text = await readText(textFile);
	if (text === undefined)
		throw new ModelError('VOCAB_MISSING', `Expected a tokenizer in ${folder}, but it has neither tokenizer.json nor vocab.txt`, {
			hint: 'copy the vocab.txt of the model this one was trained from into the folder',
		});
	return checked(overridden(fromVocabTxt(textFile, text, names), config), textFile);
}

function fromVocabTxt(file: string, text: string, names: NamedTokens): Vocabulary {
	const lines = text.split('\n', mostTokens + 1);
	if (lines.length > mostTokens) throw invalid(file, `it has more than ${mostTokens} lines`);
	if (lines.at(-1) === '') lines.pop();
	const tokens = lines.map(trimEnd);
	const lineOf = new Map<string, number>();
	for (const [index, token] of tokens.entries()) {
		if (token === '') continue;
		const first = lineOf.get(token);
		if (first !== undefined) throw invalid(file, `lines ${first} and ${index + 1} hold the same token ${JSON.stringify(token)}`);
		lineOf.set(token, index + 1);
	}
	return {
		...names,
		tokens,
		lowercase: true,
		stripAccents: null,
		handleChineseChars: true,
		cleanText: true,
		specialTokens: [...lineOf.keys()].filter((token) => Object.values(names).includes(token)),
		continuingPrefix: '##',
		maxWordCodePoints: 100,
		cleanup: true,
		modelMaxLength: 512,
	};
}

function fromTokenizerJson(file: string, json: Json, names: NamedTokens): Vocabulary {
	const model = part(file, json, 'model', 'WordPiece');
	const normalizer = part(file, json, 'normalizer', 'BertNormalizer');
	part(file, json, 'pre_tokenizer', 'BertPreTokenizer');
	const decoder = part(file, json, 'decoder', 'WordPiece');
	const specialTokens = list(file, json.added_tokens ?? [], 'added_tokens').map((added) => addedToken(file, added));
	const prefix = model.continuing_subword_prefix ?? '##';
	const maxWord = model.max_input_chars_per_word ?? 100;
	const unkToken = model.unk_token ?? names.unkToken;
	if (typeof prefix !== 'string' || typeof unkToken !== 'string') throw invalid(file, 'its model does not name unk_token or the prefix as strings');
	if (!Number.isInteger(maxWord) || (maxWord as number) < 1 || (maxWord as number) > longestWord)
		throw invalid(file, `max_input_chars_per_word is ${JSON.stringify(maxWord)}, expected a whole number from 1 to ${longestWord}`);
	if ((decoder.prefix ?? '##') !== prefix) throw unsupported(file, `a decoder prefix other than the model's`);
	if (!isObject(model.vocab)) throw invalid(file, 'its model has no vocab object');
	const vocab = Object.entries(model.vocab);
	if (vocab.length > mostTokens) throw invalid(file, `its vocab has ${vocab.length} tokens, expected at most ${mostTokens}`);
	return {
		...names,
		...template(file, json.post_processor),
		unkToken,
		tokens: tokensById(file, vocab, specialTokens),
		lowercase: normalizer.lowercase !== false,
		stripAccents: typeof normalizer.strip_accents === 'boolean' ? normalizer.strip_accents : null,
		handleChineseChars: normalizer.handle_chinese_chars !== false,
		cleanText: normalizer.clean_text !== false,
		specialTokens: specialTokens.map(([token]) => token),
		continuingPrefix: prefix,
		maxWordCodePoints: maxWord as number,
		cleanup: decoder.cleanup !== false,
		modelMaxLength: 512,
	};
}

/** The token of every id, '' where an id is unused. */
function tokensById(file: string, vocab: readonly [string, unknown][], specialTokens: readonly (readonly [string, unknown])[]): string[] {
	const ids = new Map(vocab);
	for (const [token, id] of specialTokens) {
		if (ids.has(token) && ids.get(token) !== id) throw invalid(file, `${JSON.stringify(token)} has the ids ${ids.get(token)} and ${id}`);
		ids.set(token, id);
	}
	let largest = -1;
	for (const [token, id] of ids) {
		if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= ids.size + mostHoles(ids.size))
			throw invalid(file, `the id of ${JSON.stringify(token)} is ${JSON.stringify(id)}, expected 0 to about the number of tokens, ${ids.size}`);
		largest = Math.max(largest, id as number);
	}
	const tokens = new Array<string>(largest + 1).fill('');
	for (const [token, id] of ids) {
		const other = tokens[id as number] as string;
		if (other !== '') throw invalid(file, `${JSON.stringify(other)} and ${JSON.stringify(token)} both have the id ${id}`);
		tokens[id as number] = token;
	}
	return tokens;
}

/** Special tokens that are found in raw text as they stand; the only kind BERT has. */
function addedToken(file: string, added: unknown): readonly [string, unknown] {
	if (!isObject(added) || typeof added.content !== 'string' || added.content === '') throw invalid(file, 'an added token has no content');
	const plain = added.special === true && !['single_word', 'lstrip', 'rstrip', 'normalized'].some((flag) => added[flag] === true);
	if (!plain) throw unsupported(file, `the added token ${JSON.stringify(added.content)}, which is not a plain special token`);
	return [added.content, added.id];
}

/** [CLS] A [SEP], whatever the two are called. */
function template(file: string, processor: unknown): { clsToken: string; sepToken: string } {
	if (isObject(processor) && processor.type === 'BertProcessing') {
		const [clsToken, sepToken] = [processor.cls, processor.sep].map((pair) => (Array.isArray(pair) ? (pair[0] as unknown) : undefined));
		if (typeof clsToken === 'string' && typeof sepToken === 'string') return { clsToken, sepToken };
	}
	if (isObject(processor) && processor.type === 'TemplateProcessing' && Array.isArray(processor.single)) {
		const [first, text, last, ...rest] = (processor.single as unknown[]).map((item) => (isObject(item) ? item : {}));
		const special = (item: Json | undefined) => (isObject(item?.SpecialToken) ? item.SpecialToken.id : undefined);
		const [clsToken, sepToken] = [special(first), special(last)];
		if (typeof clsToken === 'string' && typeof sepToken === 'string' && isObject(text?.Sequence) && rest.length === 0) return { clsToken, sepToken };
	}
	throw unsupported(file, `a post_processor other than [CLS] A [SEP] (${kindOf(processor)})`);
}

function overridden(vocabulary: Vocabulary, config: Json): Vocabulary {
	const flag = (key: string, otherwise: boolean) => (typeof config[key] === 'boolean' ? config[key] : otherwise);
	const accents = config.strip_accents;
	const longest = config.model_max_length;
	return {
		...vocabulary,
		lowercase: flag('do_lower_case', vocabulary.lowercase),
		stripAccents: typeof accents === 'boolean' || accents === null ? accents : vocabulary.stripAccents,
		handleChineseChars: flag('tokenize_chinese_chars', vocabulary.handleChineseChars),
		modelMaxLength: typeof longest === 'number' && longest > 0 ? longest : vocabulary.modelMaxLength,
	};
}

function checked(vocabulary: Vocabulary, file: string): Vocabulary {
	const known = new Set(vocabulary.tokens);
	const missing = [vocabulary.unkToken, vocabulary.clsToken, vocabulary.sepToken].filter((token) => token === '' || !known.has(token));
	if (missing.length > 0)
		throw new ModelError('VOCAB_INCOMPLETE', `Expected ${file} to hold the tokens of a BERT vocabulary, but ${missing.join(', ')} are not in it`, {
			hint: 'copy the vocab.txt of the model this one was trained from into the folder',
			details: { missing },
		});
	const broken = vocabulary.tokens.find((token) => /\p{Surrogate}/u.test(token));
	if (broken !== undefined) throw invalid(file, `the token ${JSON.stringify(broken)} holds half a surrogate pair`);
	return vocabulary;
}

/** White space as Rust's trim_end has it; the class of a regular expression would take quadratic time. */
function trimEnd(line: string): string {
	let end = line.length;
	while (end > 0 && /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/.test(line[end - 1] as string)) end--;
	return line.slice(0, end);
}

/** The part `key` of a tokenizer.json, refused unless it is of the one kind BERT uses. */
function part(file: string, json: Json, key: string, kind: string): Json {
	const value = json[key];
	// Files before tokenizers 0.10 give the model no type; WordPiece is what has a continuing prefix.
	const named = isObject(value) && (value.type ?? ('continuing_subword_prefix' in value ? 'WordPiece' : undefined)) === kind;
	if (!named) throw unsupported(file, `the ${key} ${kindOf(value)} (expected ${kind})`);
	return value as Json;
}

function kindOf(value: unknown): string {
	return isObject(value) && typeof value.type === 'string' ? value.type : value === null || value === undefined ? 'none' : 'of no type';
}

function list(file: string, value: unknown, key: string): unknown[] {
	if (!Array.isArray(value)) throw invalid(file, `${key} is not a list`);
	return value;
}

/** Transformers writes a token as a string or as { content, ... }. */
function tokenName(value: unknown): string | undefined {
	if (typeof value === 'string') return value;
	return isObject(value) && typeof value.content === 'string' ? value.content : undefined;
}

function isObject(value: unknown): value is Json {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readJson(file: string): Promise<Json | undefined> {
	const text = await readText(file);
	if (text === undefined) return undefined;
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw invalid(file, `it is not JSON: ${(cause as Error).message}`, cause);
	}
	if (!isObject(value)) throw invalid(file, 'it does not hold an object');
	return value;
}

/** Text without its byte order mark; undefined when there is no such file. */
async function readText(file: string): Promise<string | undefined> {
	let bytes: Buffer;
	try {
		const info = await stat(file);
		if (!info.isFile()) throw invalid(file, 'it is not a file');
		if (info.size > largestFile) throw invalid(file, `it has ${info.size} bytes, expected at most ${largestFile}`);
		bytes = await readFile(file);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		if (cause instanceof ModelError) throw cause;
		throw invalid(file, `it cannot be read: ${(cause as Error).message}`, cause);
	}
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch (cause) {
		throw invalid(file, 'it is not UTF-8', cause);
	}
}

function invalid(file: string, what: string, cause?: unknown): ModelError {
	return new ModelError('VOCAB_INVALID', `Expected ${file} to be a tokenizer file, but ${what}`, {
		cause,
		hint: 'copy the file again from where the model came from',
	});
}

function unsupported(file: string, what: string): ModelError {
	return new ModelError('TOKENIZER_UNSUPPORTED', `Expected ${file} to describe a BERT tokenizer, but it has ${what}`, {
		hint: 'use an uncased or cased BERT-type model, for example --model minilm-l6',
	});
}
