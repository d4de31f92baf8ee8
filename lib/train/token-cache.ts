/** The folder of token files: who may be there, under which name, and for how long. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

import { alive, removeLeastUsed } from '../runtime/cache.js';
import { makeFolder } from '../runtime/make-folder.js';
import type { BaseAddon } from '../runtime/native.js';
import { openTokenFile, type RowFacts, type TokenFile, TokenFileDamaged, TokenFileWriter } from './token-file.js';

/** What is kept: files not used for so long are removed, and then the least recently used beyond so many bytes. */
export const KEPT_MS = 30 * 24 * 3_600_000;
export const KEPT_BYTES = 20e9;
/** A process of another machine or container on the same disk cannot be asked whether it lives; it would have written by then. */
const STALE_MS = 3_600_000;

const TOKEN_FILE = /^[0-9a-f]{32}-[0-9a-f]{64}$/;
const TEMPORARY = /^\.writing-(?<pid>\d+)-[0-9a-f]{12}$/;

/** A file was begun and cannot be gone on with. */
export class TokenCacheFailure extends Error {}

export interface TokenCacheOptions {
	readonly folder: string;
	readonly openTokenRows: BaseAddon['openTokenRows'];
	/** Asked now and then; throws to end the reading. */
	readonly stopIfAborted: () => void;
	readonly onWarning: (warning: { readonly code: string; readonly message: string }) => void;
}

/**
 * Files are named by what they were made with (`recipe`: all that decides what is made of the content) and by the SHA-256 of the content.
 * They come whole or not at all, by rename, and are never changed; of two processes that write the same one, the last wins and both
 * were right. Anything may be deleted here at any time.
 */
export class TokenCache {
	readonly #options: TokenCacheOptions;
	#givenUp = false;

	constructor(options: TokenCacheOptions) {
		this.#options = options;
	}

	/** What is there for this recipe and content; `contentHash` is asked only where there may be something. A damaged file is passed over with a warning. */
	async find<Notes>(recipe: string, contentHash: () => Promise<string>): Promise<(TokenFile<Notes> & { readonly contentHash: string }) | undefined> {
		const { folder, stopIfAborted, onWarning } = this.#options;
		const names = await readdir(folder).catch((): string[] => []);
		if (!names.some((name) => name.startsWith(`${keyOf(recipe)}-`))) return undefined;
		const hash = await contentHash();
		const name = `${keyOf(recipe)}-${hash}`;
		if (!names.includes(name)) return undefined;
		const path = join(folder, name);
		try {
			const found = await openTokenFile<Notes>(path, { ...this.#options, verify: true });
			await utimes(path, new Date(), new Date()).catch(() => undefined);
			return { ...found, contentHash: hash };
		} catch (cause) {
			stopIfAborted();
			const { code, message } = cause as NodeJS.ErrnoException;
			if (code === 'ENOENT') return undefined; // deleted meanwhile
			const why = cause instanceof TokenFileDamaged ? message : `it cannot be read (${message})`;
			onWarning({ code: 'TOKEN_CACHE_DAMAGED', message: `The token file ${path} is not whole (${why}) and is made anew` });
			return undefined;
		}
	}

	/** A file under a temporary name, for a tokenizer with so many tokens; undefined, with a warning the first time, where none can be made. */
	async create(vocabulary: number): Promise<PendingTokenFile | undefined> {
		if (this.#givenUp) return undefined;
		const { folder } = this.#options;
		const temporary = join(folder, `.writing-${process.pid}-${randomBytes(6).toString('hex')}`);
		try {
			makeFolder(folder);
			await tidy(folder);
			return new PendingTokenFile(await TokenFileWriter.create(temporary, vocabulary), this.#options);
		} catch (cause) {
			this.giveUp(cause as Error);
			return undefined;
		}
	}

	/** Writes no more; the first time with a warning. */
	giveUp({ message }: Error): void {
		if (this.#givenUp) return;
		this.#givenUp = true;
		const sentence = `Tokens cannot be written to ${this.#options.folder} and stay in memory: ${message}`;
		this.#options.onWarning({ code: 'TOKEN_CACHE_UNUSABLE', message: sentence });
	}
}

/** A token file that has no name yet. Methods throw TokenCacheFailure. */
export class PendingTokenFile {
	readonly #writer: TokenFileWriter;
	readonly #options: TokenCacheOptions;

	constructor(writer: TokenFileWriter, options: TokenCacheOptions) {
		this.#writer = writer;
		this.#options = options;
	}

	add(rows: Parameters<TokenFileWriter['add']>[0]): Promise<void> {
		return orFailure(() => this.#writer.add(rows));
	}

	/** Makes the file whole, gives it its name and opens it. */
	keep<Notes extends Readonly<Record<string, unknown>>>(
		recipe: string,
		contentHash: string,
		facts: RowFacts,
		notes: Notes,
	): Promise<TokenFile<Notes>> {
		const path = join(this.#options.folder, `${keyOf(recipe)}-${contentHash}`);
		return orFailure(async () => {
			await this.#writer.finish(facts, notes);
			await rename(this.#writer.path, path).catch(async (cause: unknown) => {
				// Windows lets nobody replace a file that is mapped; then the same one is there already.
				if (!(await stat(path).catch(() => undefined))) throw cause;
			});
			return openTokenFile<Notes>(path, { ...this.#options, verify: false });
		});
	}

	/** Leaves nothing behind but what was kept. To be called in the end in any case. */
	discard(): Promise<void> {
		return this.#writer.discard();
	}
}

const keyOf = (recipe: string): string => createHash('sha256').update(recipe).digest('hex').slice(0, 32);

async function orFailure<T>(body: () => Promise<T>): Promise<T> {
	try {
		return await body();
	} catch (cause) {
		throw new TokenCacheFailure((cause as Error).message, { cause });
	}
}

/** Removes what processes that are gone left, and what is kept no longer. What cannot be removed stays, without an error. */
async function tidy(folder: string): Promise<void> {
	const names = await readdir(folder);
	for (const name of names) {
		const pid = TEMPORARY.exec(name)?.groups?.pid;
		if (pid === undefined || alive(Number(pid))) continue;
		const path = join(folder, name);
		const info = await stat(path).catch(() => undefined);
		if (info !== undefined && Date.now() - info.mtimeMs > STALE_MS) await rm(path, { force: true }).catch(() => undefined);
	}
	const files = names.filter((name) => TOKEN_FILE.test(name)).map((name) => join(folder, name));
	await removeLeastUsed(files, { bytes: KEPT_BYTES, ms: KEPT_MS });
}
