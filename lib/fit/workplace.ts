/** A model in training: what is in memory while a run goes, and what is written of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNative, ModelError, TrainingError } from '../errors.js';
import { configText, type ModelConfig } from '../model/config.js';
import { writeFolderAtomically } from '../model/write-folder.js';
import type { Counters, EngineAddon, NativeSession, SessionOptions } from '../runtime/native.js';
import type { Tokenizer } from '../tokenizer.js';
import type { Examples } from '../train/examples.js';
import { type RunRecord, recordText, runFile } from '../train/record.js';

const weightsFile = 'model.safetensors';
const momentsFile = 'optimizer.safetensors';

/** What is written beside a model. */
export interface Papers {
	readonly record: RunRecord;
	readonly trainerState: string;
}

export interface Equipment {
	readonly engine: EngineAddon;
	readonly options: SessionOptions;
	readonly model: ModelConfig;
	readonly tokenizer: Tokenizer;
	readonly eval: Examples | undefined;
	readonly maxLength: number;
}

export class Workplace {
	readonly model: ModelConfig;
	readonly tokenizer: Tokenizer;
	/** The rows that `eval` names. */
	readonly eval: Examples | undefined;
	readonly maxLength: number;
	/** Given once a run has come to an end. */
	papers: Papers | undefined;
	readonly #equipment: Equipment;
	#session: NativeSession;

	private constructor(equipment: Equipment, session: NativeSession) {
		this.model = equipment.model;
		this.tokenizer = equipment.tokenizer;
		this.eval = equipment.eval;
		this.maxLength = equipment.maxLength;
		this.#equipment = equipment;
		this.#session = session;
	}

	/** With weights and moments of `saved`, where a run goes on from it. Throws ModelError, or TrainingError CHECKPOINT_DAMAGED. */
	static async open(equipment: Equipment, saved?: { readonly folder: string; readonly counters: Counters }): Promise<Workplace> {
		if (saved === undefined) return new Workplace(equipment, await openSession(equipment));
		const session = await openSession(withWeights(equipment, join(saved.folder, weightsFile)));
		try {
			await session.loadState(join(saved.folder, momentsFile), saved.counters);
		} catch (cause) {
			await session.close();
			throw new TrainingError('CHECKPOINT_DAMAGED', `${saved.folder} is not a whole checkpoint: ${(cause as Error).message}`, { cause });
		}
		return new Workplace(equipment, session);
	}

	get session(): NativeSession {
		return this.#session;
	}

	/** Puts the weights of another folder in place; moments begin anew. Throws ModelError, and then all is as it was. */
	async load(folder: string): Promise<void> {
		const session = await openSession(withWeights(this.#equipment, join(folder, weightsFile)));
		await this.#session.close();
		this.#session = session;
	}

	/** Writes weights, tokenizer and config into an empty folder. */
	async writeModel(folder: string): Promise<void> {
		await this.#session.saveWeights(join(folder, weightsFile)).catch((cause: unknown) => {
			throw fromNative(cause, TrainingError);
		});
		await this.tokenizer.save(folder);
		await writeFile(join(folder, 'config.json'), configText(this.model));
	}

	/** Writes what weights alone do not hold of a run under way. */
	saveMoments(folder: string): Promise<Counters> {
		return this.#session.saveState(join(folder, momentsFile)).catch((cause: unknown) => {
			throw fromNative(cause, TrainingError);
		});
	}

	/** Writes all that a run leaves to `folder`, whole or not at all. */
	async write(folder: string, { record, trainerState }: Papers): Promise<void> {
		await writeFolderAtomically(folder, async (temporary) => {
			await this.writeModel(temporary);
			await writeFile(join(temporary, runFile), recordText(record));
			await writeFile(join(temporary, 'trainer_state.json'), trainerState);
		});
	}

	/** Frees native memory. */
	async close(): Promise<void> {
		this.tokenizer.dispose();
		await this.#session.close();
	}
}

function withWeights(equipment: Equipment, weights: string): Equipment {
	return { ...equipment, options: { ...equipment.options, weights } };
}

function openSession({ engine, options }: Pick<Equipment, 'engine' | 'options'>): Promise<NativeSession> {
	return engine.openSession(options).catch((cause: unknown) => {
		throw fromNative(cause, ModelError);
	});
}
