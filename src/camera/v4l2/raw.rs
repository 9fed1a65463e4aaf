//! The few system calls that the v4l crate lacks, or answers with a panic where a driver says
//! something it does not know. Each is one ioctl, with plain numbers in and out.

use std::io;
use std::mem;

use v4l::capability::Flags;
use v4l::device::Handle;
use v4l::v4l_sys::{
    v4l2_capability, v4l2_control, v4l2_format, v4l2_pix_format, v4l2_pix_format__bindgen_ty_1,
    v4l2_queryctrl,
};
use v4l::v4l2::{ioctl, vidioc};

/// As in videodev2.h.
const VIDEO_CAPTURE: u32 = 1;
/// `priv` holds this where the fields behind it are meant (V4L2_PIX_FMT_PRIV_MAGIC).
const EXTENDED: u32 = 0xfeed_cafe;
/// A control that is not there now, or never was (V4L2_CTRL_FLAG_DISABLED).
const DISABLED: u32 = 1;

/// What a device says it is.
pub(super) struct Capabilities {
    pub card: String,
    pub driver: String,
    pub flags: Flags,
}

pub(super) fn capabilities(handle: &Handle) -> io::Result<Capabilities> {
    // SAFETY: all zeros is a value of this struct of numbers.
    let mut answer: v4l2_capability = unsafe { mem::zeroed() };
    // SAFETY: QUERYCAP writes one v4l2_capability, and `answer` lives through the call.
    unsafe { ioctl(handle.fd(), vidioc::VIDIOC_QUERYCAP, (&raw mut answer).cast()) }?;
    // The device's own capabilities, where the driver tells them from those of the whole card.
    let flags = match answer.capabilities & u32::from(Flags::DEVICE_CAPS) {
        0 => answer.capabilities,
        _ => answer.device_caps,
    };
    Ok(Capabilities {
        card: text(&answer.card),
        driver: text(&answer.driver),
        flags: Flags::from(flags),
    })
}

/// Up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

/// A format as the driver set it; colours by their numbers in videodev2.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    pub width: u32,
    pub height: u32,
    pub fourcc: [u8; 4],
    /// Bytes from row to row.
    pub stride: u32,
    pub colorspace: u32,
    pub encoding: u32,
    pub quantization: u32,
}

/// Asks for a size and format; the driver answers with what it gives.
pub(super) fn set_format(
    handle: &Handle,
    (width, height): (u32, u32),
    fourcc: [u8; 4],
) -> io::Result<Format> {
    // SAFETY: all zeros is a value of this struct of numbers and unions of numbers.
    let mut asked: v4l2_format = unsafe { mem::zeroed() };
    asked.type_ = VIDEO_CAPTURE;
    asked.fmt.pix = v4l2_pix_format {
        width,
        height,
        pixelformat: u32::from_le_bytes(fourcc),
        field: 0,
        bytesperline: 0,
        sizeimage: 0,
        colorspace: 0,
        priv_: EXTENDED,
        flags: 0,
        __bindgen_anon_1: v4l2_pix_format__bindgen_ty_1 { ycbcr_enc: 0 },
        quantization: 0,
        xfer_func: 0,
    };
    // SAFETY: S_FMT reads and writes one v4l2_format, and `asked` lives through the call.
    unsafe { ioctl(handle.fd(), vidioc::VIDIOC_S_FMT, (&raw mut asked).cast()) }?;
    // SAFETY: for VIDEO_CAPTURE the kernel fills `pix`, and any bytes are numbers.
    let (got, encoding) = unsafe { (asked.fmt.pix, asked.fmt.pix.__bindgen_anon_1.ycbcr_enc) };
    let extended = got.priv_ == EXTENDED;
    Ok(Format {
        width: got.width,
        height: got.height,
        fourcc: got.pixelformat.to_le_bytes(),
        stride: got.bytesperline,
        colorspace: got.colorspace,
        encoding: if extended { encoding } else { 0 },
        quantization: if extended { got.quantization } else { 0 },
    })
}

/// Lowest and highest value of a control; `None` where the camera lacks it.
pub(super) fn control_range(handle: &Handle, id: u32) -> Option<(i32, i32)> {
    // SAFETY: all zeros is a value of this struct of numbers.
    let mut asked: v4l2_queryctrl = unsafe { mem::zeroed() };
    asked.id = id;
    // SAFETY: QUERYCTRL reads and writes one v4l2_queryctrl, and `asked` lives through the call.
    unsafe { ioctl(handle.fd(), vidioc::VIDIOC_QUERYCTRL, (&raw mut asked).cast()) }.ok()?;
    (asked.flags & DISABLED == 0).then_some((asked.minimum, asked.maximum))
}

pub(super) fn set_control(handle: &Handle, id: u32, value: i32) -> io::Result<()> {
    let mut asked = v4l2_control { id, value };
    // SAFETY: S_CTRL reads and writes one v4l2_control, and `asked` lives through the call.
    unsafe { ioctl(handle.fd(), vidioc::VIDIOC_S_CTRL, (&raw mut asked).cast()) }
}
