import { createHash } from 'node:crypto';

import { ConfigError, DataError, DistiltuneError, fromNative } from './errors.js';
import { resolveModel } from './model/folder.js';
import { loadVocabulary, type Vocabulary } from './model/vocabulary.js';
import { saveVocabulary } from './model/vocabulary-write.js';
import { writeFolderAtomically } from './model/write-folder.js';
import { loadBase } from './runtime/load.js';
import type { EncodeOptions as NativeOptions, NativeTokenizer, RaggedEncoding } from './runtime/native.js';

export interface EncodeOptions {
	/** Longest row in tokens, added special tokens included, at least 2; longer texts are cut on the right. @default no limit */
	readonly maxLength?: number | undefined;
	/** Put [CLS] and [SEP] around each row. @default true */
	readonly addSpecialTokens?: boolean | undefined;
	/** Let a special token spelt out in a text, such as "[SEP]", become that token. Off, it is text like any other. @default true */
	readonly matchSpecialTokens?: boolean | undefined;
}

export interface EncodeBatchOptions extends EncodeOptions {
	/** Give `spans` too: where each token came from. @default false */
	readonly spans?: boolean | undefined;
}

export interface Encoding {
	readonly ids: number[];
	readonly tokens: string[];
	/** Where each token came from: text.slice(start, end). Added special tokens have [0, 0]. */
	readonly offsets: [number, number][];
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
}

export interface DecodeOptions {
	/** Leave special tokens out. @default false */
	readonly skipSpecialTokens?: boolean | undefined;
	/** Also close the gaps around apostrophes over the whole text, as Transformers 4 did: "don't" for "don ' t". @default false */
	readonly cleanUpTokenizationSpaces?: boolean | undefined;
}

/** A BERT tokenizer, the same ids and offsets as Hugging Face's fast one. Needs no libtorch. */
export class Tokenizer implements Disposable, AsyncDisposable {
	readonly #vocabulary: Vocabulary;
	#native: NativeTokenizer | undefined;

	private constructor(vocabulary: Vocabulary) {
		this.#vocabulary = vocabulary;
		this.#native = new (loadBase().Tokenizer)(vocabulary);
	}

	/** The tokenizer of a model folder or of a model by name. Throws ModelError MODEL_NOT_FOUND and those of loadVocabulary. */
	static async load(folderOrName: string): Promise<Tokenizer> {
		return new Tokenizer(await loadVocabulary(await resolveModel(folderOrName)));
	}

	/** SHA-256 of all it is made of: two with the same give the same tokens. */
	get identity(): string {
		return createHash('sha256').update(JSON.stringify(this.#vocabulary)).digest('hex');
	}

	/** Number of tokens in its vocabulary. */
	get size(): number {
		return this.#vocabulary.tokens.length;
	}

	/** One text, on the calling thread. */
	encode(text: string, options: EncodeOptions = {}): Encoding {
		const row = this.#open().encodeSync([checkText(text)], nativeOptions(options, true));
		const ids = Array.from(row.ids);
		const spans = row.spans as Int32Array;
		return {
			ids,
			tokens: ids.map((id) => this.#vocabulary.tokens[id] as string),
			offsets: ids.map((_, index) => [spans[2 * index] as number, spans[2 * index + 1] as number]),
			truncated: row.truncated[0] === 1,
		};
	}

	/** Many texts, off the calling thread. */
	async encodeBatch(texts: readonly string[], options: EncodeBatchOptions = {}): Promise<RaggedEncoding> {
		texts.forEach(checkText);
		try {
			return await this.#open().encode(texts, nativeOptions(options, options.spans ?? false));
		} catch (cause) {
			throw fromNative(cause, DataError);
		}
	}

	/** The text of some ids; ids without a token are left out. */
	decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
		this.#open();
		const { continuingPrefix, cleanup, specialTokens } = this.#vocabulary;
		const skipped = new Set(options.skipSpecialTokens ? specialTokens : []);
		let text = '';
		let first = true;
		for (const id of ids) {
			const token = this.#vocabulary.tokens[id] ?? '';
			if (token === '' || skipped.has(token)) continue;
			const piece = first ? token : token.startsWith(continuingPrefix) ? token.slice(continuingPrefix.length) : ` ${token}`;
			text += cleanup ? closeGaps(piece) : piece;
			first = false;
		}
		return options.cleanUpTokenizationSpaces ? closeGaps(text) : text;
	}

	/** Number of tokens of a text, [CLS] and [SEP] included. */
	count(text: string): number {
		return this.#open().encodeSync([checkText(text)], nativeOptions({}, false)).ids.length;
	}

	/** Writes vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json. */
	async save(folder: string): Promise<void> {
		await writeFolderAtomically(folder, (temporary) => saveVocabulary(temporary, this.#vocabulary));
	}

	/** Frees the native memory; batches under way still finish. Twice is fine. */
	dispose(): void {
		this.#native?.close();
		this.#native = undefined;
	}

	[Symbol.dispose](): void {
		this.dispose();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.dispose();
	}

	#open(): NativeTokenizer {
		if (this.#native) return this.#native;
		throw new DistiltuneError('TOKENIZER_CLOSED', 'Expected an open tokenizer, but dispose() was called on it');
	}
}

function nativeOptions(options: EncodeOptions, spans: boolean): NativeOptions {
	const { maxLength, addSpecialTokens = true, matchSpecialTokens = true } = options;
	if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 2 && maxLength < 2 ** 31))
		throw new ConfigError('OPTIONS_INVALID', `Expected \`maxLength\` to be a whole number from 2 to ${2 ** 31 - 1}, got ${maxLength}`, {
			hint: 'two places are needed for [CLS] and [SEP]',
		});
	return { maxLength: maxLength ?? 0, addSpecialTokens, matchSpecialTokens, spans };
}

function checkText(text: unknown): string {
	if (typeof text === 'string') return text;
	throw new DataError('TEXT_INVALID', `Expected a text, got ${text === null ? 'null' : typeof text}`);
}

/** Hugging Face's cleanup, in its order. */
function closeGaps(text: string): string {
	for (const mark of ['.', '?', '!', ',']) text = text.replaceAll(` ${mark}`, mark);
	text = text.replaceAll(" ' ", "'");
	for (const ending of ["n't", "'m", "'s", "'ve", "'re"]) text = text.replaceAll(` ${ending}`, ending);
	return text;
}
