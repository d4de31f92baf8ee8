/** Follows a run: gathers what a diagnosis needs, and says what is found as soon as it can be known, each thing once. */
import type { NativeSession } from '../../runtime/native.js';
import { Curve, type CurveState } from '../../train/curve.js';
import type { TrainerEvent } from '../../train/events.js';
import type { RunFinding, RunFindingCode } from '../../train/finding.js';
import { type Movement, MovementMeter, type MovementState } from '../../train/movement.js';
import type { History, RunRecord } from '../../train/record.js';
import { diagnose } from './diagnose.js';
import { factsOf } from './facts.js';

/** A plain JSON value; a run resumed with it goes on as the unbroken one. */
export interface WatchState {
	readonly curve: CurveState;
	readonly start: MovementState;
	readonly movement: Movement | null;
	/** Found so far: not said again. */
	readonly told: readonly RunFindingCode[];
}

/** What run.json holds for a diagnosis beside log, epochs and evaluations. */
export type Diagnosed = Pick<RunRecord, 'plan' | 'rows' | 'curve' | 'movement' | 'findings'>;

export interface Watched extends Pick<RunRecord, 'config' | 'labels' | 'plan' | 'rows' | 'drawnFromSeed'> {
	readonly session: Pick<NativeSession, 'parameter'>;
	/** Layers of the encoder. */
	readonly layers: number;
	/** Sees every event the watch lets pass. */
	readonly history: Pick<History, 'epochs' | 'evaluations'>;
	/** Of the options. */
	readonly defaults: Readonly<Record<string, unknown>>;
}

// The rules look at 512 points at most: 50 looks and one an evaluation cost a run nothing.
const looks = 50;
const leastStepsBetweenLooks = 16;

export class RunWatch {
	readonly #run: Watched;
	readonly #curve: Curve;
	readonly #meter: MovementMeter;
	readonly #told: Set<RunFindingCode>;
	#movement: Movement | null;
	#findings: readonly RunFinding[] = [];

	private constructor(run: Watched, meter: MovementMeter, state: WatchState | undefined) {
		this.#run = run;
		this.#meter = meter;
		this.#curve = new Curve(state?.curve);
		this.#movement = state?.movement ?? null;
		this.#told = new Set(state?.told);
	}

	/** Before the first step: the weights of `session` are taken for the start, unless `state` knows it. */
	static async open(run: Watched, state?: WatchState): Promise<RunWatch> {
		const meter = state === undefined ? await MovementMeter.open(run.session, run.layers) : new MovementMeter(state.start);
		return new RunWatch(run, meter, state);
	}

	/** As of the latest event that has passed. */
	get state(): WatchState {
		return { curve: this.#curve.state, start: this.#meter.state, movement: this.#movement, told: [...this.#told] };
	}

	/** What goes into the record; the findings are those of the last look. */
	get record(): Diagnosed {
		const { plan, rows } = this.#run;
		return { plan, rows, curve: this.#curve.record, movement: this.#movement, findings: this.#findings };
	}

	/** The events of a run with warnings of what is found among them. Ends as `events` does, by a return or a throw. */
	async *over<End extends { readonly finished: boolean }>(events: AsyncGenerator<TrainerEvent, End>): AsyncGenerator<TrainerEvent, End> {
		const every = Math.max(leastStepsBetweenLooks, Math.ceil(this.#run.plan.totalSteps / looks));
		yield* this.#look('running');
		for (;;) {
			const next = await events.next().catch((error: unknown) => ({ error }));
			if ('error' in next) {
				yield* this.#look('failed', next.error);
				throw next.error;
			}
			if (next.done === true) {
				await this.#measure();
				yield* this.#look(next.value.finished ? 'finished' : 'interrupted');
				return next.value;
			}
			const event = next.value;
			if (event.type === 'step') this.#curve.add(event);
			yield event;
			if (event.type === 'evaluate' || event.type === 'epochEnd') await this.#measure();
			if (event.type === 'evaluate' || (event.type === 'step' && event.step % every === 0)) yield* this.#look('running');
		}
	}

	async #measure(): Promise<void> {
		this.#movement = await this.#meter.measure(this.#run.session, this.#curve.state.points.at(-1)?.step ?? 0);
	}

	*#look(status: RunRecord['status'] | 'running', error?: unknown): Generator<TrainerEvent> {
		const { config, labels, drawnFromSeed, history, defaults } = this.#run;
		const { code = 'UNEXPECTED', message = String(error) } = (error ?? {}) as { code?: string; message?: string };
		const record = {
			...this.record,
			...{ status, config, labels, drawnFromSeed, epochs: history.epochs, evaluations: history.evaluations },
			...(error !== undefined && { error: { code, message } }),
		};
		this.#findings = diagnose(factsOf(record), defaults);
		for (const finding of this.#findings.filter(({ code }) => !this.#told.has(code))) {
			this.#told.add(finding.code);
			yield { type: 'warning', code: finding.code, message: inOneLine(finding) };
		}
	}
}

const inOneLine = ({ symptom, evidence, cause, next }: RunFinding): string => `${symptom}: ${evidence}. Likely cause: ${cause}. Next: ${next}`;
