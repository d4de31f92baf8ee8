/** Where token ids go while rows are read: into memory, and from a certain number on into a token file. */
import type { RaggedEncoding } from '../runtime/native.js';
import type { PendingTokenFile, TokenCache } from './token-cache.js';
import type { RowFacts } from './token-file.js';
import { type Tokens, tokensInMemory } from './tokens.js';

export interface SinkOptions {
	/** None: all stays in memory. */
	readonly cache: TokenCache | undefined;
	/** Tokens of the vocabulary. */
	readonly vocabulary: number;
	/** So many tokens stay in memory, and with them any data set that has no more. */
	readonly inMemory: number;
}

export class TokenSink {
	readonly #options: SinkOptions;
	#portions: RaggedEncoding[] = [];
	#waiting = 0;
	#file: PendingTokenFile | undefined;

	constructor(options: SinkOptions) {
		this.#options = options;
	}

	/** Throws TokenCacheFailure where a file was begun and cannot be gone on with; one that cannot be begun is not asked for again. */
	async add(portion: RaggedEncoding): Promise<void> {
		this.#portions.push(portion);
		this.#waiting += portion.ids.length;
		const { cache, inMemory, vocabulary } = this.#options;
		if (this.#waiting <= inMemory) return;
		this.#file ??= await cache?.create(vocabulary);
		if (this.#file === undefined) return;
		for (const each of this.#portions.splice(0)) await this.#file.add(each);
	}

	/** All that was added; a file gets its name. */
	async finish(recipe: string, contentHash: string, facts: RowFacts, notes: Readonly<Record<string, unknown>>): Promise<Tokens> {
		if (this.#file === undefined) return tokensInMemory(this.#portions);
		return (await this.#file.keep(recipe, contentHash, facts, notes)).tokens;
	}

	/** Leaves nothing behind but what was finished. To be called in the end in any case. */
	async discard(): Promise<void> {
		await this.#file?.discard();
	}
}
