import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ModelError } from '../lib/errors.js';
import { loadVocabulary } from '../lib/model/vocabulary.js';
import { saveVocabulary } from '../lib/model/vocabulary-write.js';
import { Tokenizer } from '../lib/tokenizer.js';
import { fixture, root } from './models.js';

const saved = fixture('tokenizer/saved');
const model = join(root, 'models', 'minilm-l6');
let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
});
afterEach(() => rm(folder, { recursive: true }));

type Json = Record<string, unknown>;
const tokenizerJson = async (from = saved) => JSON.parse(await readFile(join(from, 'tokenizer.json'), 'utf8')) as Json & { model: Json };
const write = (name: string, content: unknown) => writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
const refusal = () =>
	loadVocabulary(folder).then(
		() => expect.fail('it was not refused'),
		(error: unknown) => error as ModelError,
	);
const smallVocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', '##b'];

test('tokenizer.json and tokenizer_config.json are written byte for byte as Transformers wrote them', async () => {
	await saveVocabulary(folder, await loadVocabulary(saved));
	const theirs = await tokenizerJson();
	theirs.truncation = null; // the training run's setting, not the tokenizer's
	const json = await readFile(join(saved, 'tokenizer.json'), 'utf8');
	const withoutTruncation = json.replace(/"truncation": \{[^}]*\}/, '"truncation": null');
	expect(JSON.parse(withoutTruncation)).toEqual(theirs);
	expect(await readFile(join(folder, 'tokenizer.json'), 'utf8')).toBe(withoutTruncation);
	for (const name of ['tokenizer_config.json', 'vocab.txt']) {
		expect(await readFile(join(folder, name), 'utf8')).toBe(await readFile(join(saved, name), 'utf8'));
	}
});

test('a saved tokenizer opens as the same one, from any of its files', async () => {
	using original = await Tokenizer.load(model);
	const target = join(folder, 'saved');
	await original.save(target);
	expect((await readdir(target)).sort()).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt']);
	const before = await loadVocabulary(model);
	expect(await loadVocabulary(target)).toEqual(before);
	await rm(join(target, 'tokenizer.json'));
	expect(await loadVocabulary(target)).toEqual(before);
	expect((await readdir(folder)).sort()).toEqual(['saved']);
});

test('a vocab.txt with a byte order mark, CRLF and white space behind tokens is read', async () => {
	await write('vocab.txt', `\ufeff${smallVocabulary.map((token) => `${token} \u3000\r\n`).join('')}`);
	const { tokens, specialTokens } = await loadVocabulary(folder);
	expect(tokens).toEqual(smallVocabulary);
	expect([...specialTokens].sort()).toEqual(['[CLS]', '[MASK]', '[PAD]', '[SEP]', '[UNK]']);
});

test('unused ids are holes that match nothing and decode to nothing', async () => {
	const json = await tokenizerJson();
	json.model.vocab = { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, '[MASK]': 4, a: 8, '7': 6 };
	await write('tokenizer.json', json);
	using tokenizer = await Tokenizer.load(folder);
	expect(tokenizer.encode('a 7 b').ids).toEqual([2, 8, 6, 1, 3]);
	expect(tokenizer.decode([8, 5, 6, 7])).toBe('a 7');
	await tokenizer.save(folder);
	expect((await loadVocabulary(folder)).tokens).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '', '7', '', 'a']);
});

test('other names of special tokens are followed', async () => {
	await write('vocab.txt', '<u>\n<s>\n</s>\na\n');
	await write('tokenizer_config.json', { unk_token: { content: '<u>' }, cls_token: '<s>' });
	await write('special_tokens_map.json', { cls_token: 'not this', sep_token: '</s>' });
	using tokenizer = await Tokenizer.load(folder);
	expect(tokenizer.encode('a</s>b').ids).toEqual([1, 3, 2, 0, 2]);
});

test.each([
	['BPE', (json: Json & { model: Json }) => Object.assign(json.model, { type: 'BPE' })],
	['Unigram', (json: Json & { model: Json }) => Object.assign(json.model, { type: 'Unigram' })],
	['Sequence', (json: Json) => Object.assign(json, { normalizer: { type: 'Sequence', normalizers: [] } })],
	['Whitespace', (json: Json) => Object.assign(json, { pre_tokenizer: { type: 'Whitespace' } })],
	['normalizer none', (json: Json) => Object.assign(json, { normalizer: null })],
	['ByteLevel', (json: Json) => Object.assign(json, { decoder: { type: 'ByteLevel' } })],
	['RobertaProcessing', (json: Json) => Object.assign(json, { post_processor: { type: 'RobertaProcessing' } })],
	['"<extra>"', (json: Json) => Object.assign(json, { added_tokens: [{ id: 300, content: '<extra>', special: false }] })],
])('a tokenizer.json with %s is refused by that name', async (name, change) => {
	const json = await tokenizerJson();
	change(json);
	await write('tokenizer.json', json);
	const error = await refusal();
	expect(error).toBeInstanceOf(ModelError);
	expect(error.code).toBe('TOKENIZER_UNSUPPORTED');
	expect(error.message).toContain(name);
});

test('tokens that a BERT vocabulary must have are named when they are missing', async () => {
	await write('vocab.txt', '[PAD]\n[CLS]\nhello\n');
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INCOMPLETE', details: { missing: ['[UNK]', '[SEP]'] } });
});

test('a folder with no tokenizer says what it lacks', async () => {
	expect(await refusal()).toMatchObject({ code: 'VOCAB_MISSING', message: expect.stringContaining('vocab.txt') });
});

test.each([
	['an id of 2^31', { big: 2 ** 31 }, 'big'],
	['a negative id', { minus: -1 }, 'minus'],
	['half an id', { half: 1.5 }, 'half'],
	['an id that is text', { word: '7' }, 'word'],
	['an id used twice', { twice: 1 }, 'twice'],
	['an id far above the number of tokens', { far: 100_000 }, 'far'],
	['half a surrogate pair', { 'x\ud800': 5 }, 'ud800'],
])('%s in tokenizer.json is refused with its token', async (_, change, named) => {
	const json = await tokenizerJson();
	Object.assign(json, { added_tokens: [] });
	json.model.vocab = { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, '[MASK]': 4, ...change };
	await write('tokenizer.json', json);
	const error = await refusal();
	expect(error).toMatchObject({ code: 'VOCAB_INVALID' });
	expect(error.message).toContain(named);
});

test('a token that stands twice in vocab.txt is refused with both lines', async () => {
	await write('vocab.txt', [...smallVocabulary, 'a'].join('\n'));
	const error = await refusal();
	expect(error).toMatchObject({ code: 'VOCAB_INVALID' });
	expect(error.message).toContain('lines 6 and 8');
});

test('damaged, foreign and huge files are refused in one sentence', async () => {
	await cp(join(saved, 'vocab.txt'), join(folder, 'vocab.txt'));
	await write('tokenizer.json', '{"version": "1.0", "mod');
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('not JSON') });
	await write('tokenizer.json', '[]');
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID' });
	await rm(join(folder, 'tokenizer.json'));
	await writeFile(join(folder, 'vocab.txt'), Buffer.from([0x5b, 0xff, 0x0a]));
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('UTF-8') });
	await truncate(join(folder, 'vocab.txt'), 50 * 2 ** 20 + 1);
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('bytes') });
	await write('vocab.txt', '\n'.repeat(1_000_000));
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('lines') });
	await rm(join(folder, 'vocab.txt'));
	await mkdir(join(folder, 'vocab.txt'));
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('not a file') });
	await write('tokenizer_config.json', 'no json');
	expect(await refusal()).toMatchObject({ code: 'VOCAB_INVALID', message: expect.stringContaining('tokenizer_config.json') });
});

test('tokens called like properties of every object are tokens', async () => {
	const vocab = smallVocabulary.map((token, id) => `${JSON.stringify(token)}:${id}`).join();
	const json = await tokenizerJson();
	json.model.vocab = 'HERE';
	await write('tokenizer.json', JSON.stringify(json).replace('"HERE"', `{${vocab},"__proto__":7,"constructor":8}`));
	using tokenizer = await Tokenizer.load(folder);
	expect(tokenizer.encode('constructor').ids).toEqual([2, 8, 3]);
	await tokenizer.save(folder);
	expect((await loadVocabulary(folder)).tokens.slice(7)).toEqual(['__proto__', 'constructor']);
});
