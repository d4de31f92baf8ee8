/** What the linear layers of a run multiply in. */
import { type BaseAddon, type TrainingDtype, trainingDtypes } from '../runtime/native.js';
import type { Warning } from './record.js';

export const dtypeChoices = ['auto', ...trainingDtypes] as const;
export type DtypeChoice = (typeof dtypeChoices)[number];

type Cpu = Pick<ReturnType<BaseAddon['cpu']>, 'bf16'>;

/** 'auto' is what the run to go on from was `recorded` with, else bf16 where the CPU multiplies it natively. */
export function settledDtype(wanted: DtypeChoice, recorded: string | undefined, cpu: Cpu): TrainingDtype {
	if (wanted !== 'auto') return wanted;
	return trainingDtypes.find((each) => each === recorded) ?? (cpu.bf16 ? 'bf16' : 'fp32');
}

/** What is to be said of it. */
export function dtypeWarnings(dtype: TrainingDtype, cpu: Cpu): Warning[] {
	if (dtype === 'fp32' || cpu.bf16) return [];
	return [{ code: 'BF16_SLOW', message: 'dtype is bf16, which this CPU multiplies only by way of fp32: dtype fp32 would be faster and more exact' }];
}
