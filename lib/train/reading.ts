/** One data set as the model reads it: from a token file of an earlier run, or tokenized anew and kept for the next. */
import type { Fingerprint, RowSource } from '../data/row.js';
import type { ProblemType } from '../model/config.js';
import { packageVersion } from '../runtime/build.js';
import type { RaggedEncoding } from '../runtime/native.js';
import { type Examples, type Remarks, readExamples, rowsOf } from './examples.js';
import { targetReader } from './targets.js';
import { type TokenCache, TokenCacheFailure } from './token-cache.js';
import { TOKEN_FILE_VERSION } from './token-file.js';
import { TokenSink } from './token-sink.js';

export interface ReadingOptions {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	/** The tokenizer in one word, and its number of tokens. */
	readonly tokenizer: { readonly identity: string; readonly size: number };
	readonly problemType: ProblemType;
	readonly maxLength: number;
	readonly truncation: 'warn' | 'silent' | 'error';
	/** None: tokens stay in memory. */
	readonly cache: TokenCache | undefined;
	/** Asked before each portion of texts; throws to end the reading. */
	readonly stopIfAborted: () => void;
}

export interface ReadResult {
	readonly examples: Examples;
	readonly labels: readonly string[];
	readonly remarks: Remarks;
	readonly fingerprint: Fingerprint;
	/** Whether no text was tokenized. */
	readonly fromCache: boolean;
}

/** What a token file says beside tokens and targets. */
type Notes = Pick<ReadResult, 'labels' | 'remarks'>;

/** Rows from a program have their texts in memory already: only from so many tokens on (64 MB) do they go to a file. */
export const TOKENS_IN_MEMORY = 2 ** 24;

/**
 * Rows of `dataset` as the model reads them; a label that is not among `labels`, where they are given, is a DataError. Where tokens cannot
 * be written to the cache they stay in memory, and the cache says so.
 */
export async function readRows(dataset: RowSource, labels: readonly string[] | undefined, options: ReadingOptions): Promise<ReadResult> {
	const { cache, truncation, maxLength, stopIfAborted } = options;
	const recipe = recipeOf(dataset, labels, options);
	const tooLong = (line: number) =>
		dataset.error('TEXT_TOO_LONG', line, `the text has more than ${maxLength} tokens`, 'raise maxLength, or set truncation to warn');
	const found = await cache?.find<Notes>(recipe, () => dataset.contentHash(stopIfAborted));
	if (found !== undefined) {
		const { notes, contentHash, ...examples } = found;
		if (truncation === 'error' && notes.remarks.truncated > 0) throw tooLong(notes.remarks.firstTruncated);
		const fingerprint = { source: dataset.source, rows: rowsOf(examples), sha256: contentHash };
		return { ...notes, examples, fingerprint, fromCache: true };
	}

	const read = async (sink: TokenSink): Promise<ReadResult> => {
		try {
			const { targets, lines, ...notes } = await readExamples(dataset, {
				encode: options.encode,
				targets: targetReader(options.problemType, dataset, labels),
				take: (portion) => sink.add(portion),
				onTruncated: (line) => {
					if (truncation === 'error') throw tooLong(line);
				},
				stopIfAborted,
			});
			const fingerprint = dataset.fingerprint as Fingerprint;
			const tokens = await sink.finish(recipe, fingerprint.sha256, { targets, lines }, notes);
			return { ...notes, examples: { tokens, targets, lines }, fingerprint, fromCache: false };
		} finally {
			await sink.discard();
		}
	};
	const { size: vocabulary } = options.tokenizer;
	try {
		return await read(new TokenSink({ cache, vocabulary, inMemory: dataset.inMemory ? TOKENS_IN_MEMORY : 0 }));
	} catch (failure) {
		if (!(failure instanceof TokenCacheFailure)) throw failure;
		cache?.giveUp(failure);
		return read(new TokenSink({ cache: undefined, vocabulary, inMemory: 0 }));
	}
}

/** All that decides what is made of the content: another recipe, another file. */
function recipeOf({ recipe }: RowSource, labels: readonly string[] | undefined, { tokenizer, problemType, maxLength }: ReadingOptions): string {
	return JSON.stringify([TOKEN_FILE_VERSION, packageVersion(), recipe, tokenizer.identity, maxLength, problemType, labels ?? null]);
}
